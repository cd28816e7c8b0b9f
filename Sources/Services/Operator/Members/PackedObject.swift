import JSONValue
import Synchronization

/// An object of a cache, as few bytes as it can be: tens of thousands of topics are kept in each operator, and all but a
/// few of them are not looked at for hours.
///
/// As a value of JSON an object of a kilobyte takes three. Here what objects have in common, the names of fields before
/// all else, is a number that a table has the text of; the rest lies behind one another.
struct PackedObject: Sendable {
  private let bytes: [UInt8]

  init(_ json: JSON, _ table: StringTable = .shared) {
    var packing = Packing(table: table)
    packing.add(json)
    // An array of exactly this size: the one that grew has room to spare.
    bytes = Array(packing.bytes[...])
  }

  func json(_ table: StringTable = .shared) -> JSON {
    var unpacking = Unpacking(bytes: bytes, table: table)
    return unpacking.value()
  }

  var byteCount: Int { bytes.count }

  fileprivate enum Tag {
    static let null: UInt8 = 0
    static let no: UInt8 = 1
    static let yes: UInt8 = 2
    static let integer: UInt8 = 3
    static let number: UInt8 = 4
    static let text: UInt8 = 5
    /// A text of the table.
    static let known: UInt8 = 6
    static let array: UInt8 = 7
    static let object: UInt8 = 8
  }
}

/// Texts that many objects have, each once. It never shrinks, and stops growing at its limit.
final class StringTable: Sendable {
  enum Limits {
    static let textsMax = 16_384
    /// Texts that were seen once, remembered until there are so many.
    static let candidatesMax = 2_048
    /// Shorter ones are as short by themselves.
    static let bytesMin = 3
    /// Longer ones are hardly ever the same twice.
    static let bytesMax = 512
  }
  static let shared = StringTable()

  private struct State {
    var texts: [String] = []
    var places: [String: Int] = [:]
    var candidates: Set<String> = []
  }
  private let state = Mutex(State())

  /// The number of a text; nil where it is worth none. Names of fields have one at once, other texts when they are seen
  /// again.
  func place(of text: String, isName: Bool) -> Int? {
    let length = text.utf8.count
    guard isName || (Limits.bytesMin...Limits.bytesMax).contains(length) else { return nil }
    return state.withLock { state in
      if let known = state.places[text] { return known }
      guard state.texts.count < Limits.textsMax else { return nil }
      guard isName || state.candidates.remove(text) != nil else {
        if state.candidates.count >= Limits.candidatesMax { state.candidates.removeAll(keepingCapacity: true) }
        state.candidates.insert(text)
        return nil
      }
      state.places[text] = state.texts.count
      state.texts.append(text)
      return state.texts.count - 1
    }
  }

  func text(at place: Int) -> String { state.withLock { $0.texts[place] } }
  var count: Int { state.withLock { $0.texts.count } }
}

private struct Packing {
  let table: StringTable
  var bytes: [UInt8] = []

  mutating func add(_ json: JSON) {
    switch json {
    case .null: bytes.append(PackedObject.Tag.null)
    case .bool(let value): bytes.append(value ? PackedObject.Tag.yes : PackedObject.Tag.no)
    case .integer(let value):
      bytes.append(PackedObject.Tag.integer)
      add(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    case .number(let value):
      bytes.append(PackedObject.Tag.number)
      add(value.bitPattern)
    case .string(let text): add(text, isName: false)
    case .array(let elements):
      bytes.append(PackedObject.Tag.array)
      add(UInt64(elements.count))
      for element in elements { add(element) }
    case .object(let object):
      bytes.append(PackedObject.Tag.object)
      add(UInt64(object.count))
      for member in object.members {
        add(member.key, isName: true)
        add(member.value)
      }
    }
  }

  private mutating func add(_ text: String, isName: Bool) {
    if let place = table.place(of: text, isName: isName) {
      bytes.append(PackedObject.Tag.known)
      return add(UInt64(place))
    }
    bytes.append(PackedObject.Tag.text)
    add(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  /// Seven bits a byte, the lowest first.
  private mutating func add(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// Reads what `Packing` wrote in this process, and nothing else.
private struct Unpacking {
  let bytes: [UInt8]
  let table: StringTable
  var place = 0

  mutating func value() -> JSON {
    let tag = byte()
    switch tag {
    case PackedObject.Tag.no: return .bool(false)
    case PackedObject.Tag.yes: return .bool(true)
    case PackedObject.Tag.integer:
      let raw = count()
      return .integer(Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1))
    case PackedObject.Tag.number: return .number(Double(bitPattern: count()))
    case PackedObject.Tag.text, PackedObject.Tag.known: return .string(text(tag))
    case PackedObject.Tag.array: return .array((0..<Int(count())).map { _ in value() })
    case PackedObject.Tag.object:
      return .object(JSON.Object((0..<Int(count())).map { _ in (text(byte()), value()) }))
    default: return .null
    }
  }

  private mutating func text(_ tag: UInt8) -> String {
    let number = Int(count())
    if tag == PackedObject.Tag.known { return table.text(at: number) }
    defer { place += number }
    return String(decoding: bytes[place..<place + number], as: UTF8.self)
  }

  private mutating func byte() -> UInt8 {
    defer { place += 1 }
    return bytes[place]
  }

  private mutating func count() -> UInt64 {
    var (result, shift): (UInt64, UInt64) = (0, 0)
    while true {
      let next = byte()
      result |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return result }
      shift += 7
    }
  }
}
