import JSONValue

/// An object of a cache, as few bytes as it can be: tens of thousands of topics are kept in each operator, and all but a
/// few of them are not looked at for hours.
///
/// As a value of JSON an object of a kilobyte takes three. Here the names of its fields are one number, that of its
/// shape; what else objects have in common is a number that a table has the text of; what is of a common form, such as
/// a time, is as short as what it says (`PackedText`); the rest lies behind one another.
struct PackedObject: Sendable {
  /// This object, behind the number of its bytes, and others that were laid together with it.
  private let bytes: [UInt8]
  private let start: Int32

  init(_ json: JSON, _ table: StringTable = .shared) {
    var packing = Packing(table: table, own: json["metadata"]["name"].string)
    packing.add(json)
    // The array that grew has room to spare, and a slice of all of it would be the same array.
    var exact: [UInt8] = []
    exact.reserveCapacity(packing.bytes.count + 2)
    exact.append(number: UInt64(packing.bytes.count))
    exact.append(contentsOf: packing.bytes)
    self.init(bytes: exact, start: 0)
  }

  private init(bytes: [UInt8], start: Int32) {
    self.bytes = bytes
    self.start = start
  }

  func json(_ table: StringTable = .shared) -> JSON {
    var unpacking = Unpacking(bytes: bytes, table: table, place: Int(start))
    _ = unpacking.count()
    return unpacking.value()
  }

  /// With the number of them.
  var byteCount: Int { place.count }
  private var place: Range<Int> {
    var unpacking = Unpacking(bytes: bytes, table: .shared, place: Int(start))
    let count = Int(unpacking.count())
    return Int(start)..<unpacking.place + count
  }

  /// Bytes of many objects that lie in one piece of memory; more than what the allocator keeps in its own heap, so that a
  /// piece goes back as a whole.
  static let pieceSize = 256 * 1024

  /// The same objects behind one another. Each one that came by itself lies where there was room between other things, and
  /// keeps a page of them from going back to the kernel. A piece stays as long as one of its objects does.
  static func together(_ objects: [PackedObject]) -> [PackedObject] {
    var result: [PackedObject] = []
    result.reserveCapacity(objects.count)
    while result.count < objects.count {
      var piece: [UInt8] = []
      piece.reserveCapacity(pieceSize)
      var starts: [Int32] = []
      for object in objects[result.count...] {
        let place = object.place
        guard piece.isEmpty || piece.count + place.count <= pieceSize else { break }
        starts.append(Int32(piece.count))
        piece.append(contentsOf: object.bytes[place])
      }
      result += starts.map { PackedObject(bytes: piece, start: $0) }
    }
    return result
  }

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
    /// An object of a shape of the table: the values alone.
    static let shaped: UInt8 = 8
    /// An object that says its fields' names: the table is full.
    static let object: UInt8 = 9
    static let time: UInt8 = 10
    static let uuid: UInt8 = 11
    static let id: UInt8 = 12
    static let digits: UInt8 = 13
    /// The object's own name, where it stands first, and where it stands again: no other object has it.
    static let ownName: UInt8 = 14
    static let ownNameAgain: UInt8 = 15
    /// The time that stood there last.
    static let sameTime: UInt8 = 16
    /// Whole numbers from 0, the first shapes and the first texts of the table say which one they are by themselves.
    static let integers: ClosedRange<UInt8> = 17...31
    static let shapes: ClosedRange<UInt8> = 32...63
    static let texts: ClosedRange<UInt8> = 64...255

    /// The tag of a small number in a range of tags; nil where it has none.
    static func one(of range: ClosedRange<UInt8>, _ number: Int) -> UInt8? {
      number >= 0 && number < range.count ? range.lowerBound + UInt8(number) : nil
    }
  }
}

private struct Packing {
  let table: StringTable
  let own: String?
  var hasOwn = false
  var lastTime: UInt64?
  var bytes: [UInt8] = []

  mutating func add(_ json: JSON) {
    switch json {
    case .null: bytes.append(PackedObject.Tag.null)
    case .bool(let value): bytes.append(value ? PackedObject.Tag.yes : PackedObject.Tag.no)
    case .integer(let value):
      if let tag = Int(exactly: value).flatMap({ PackedObject.Tag.one(of: PackedObject.Tag.integers, $0) }) {
        return bytes.append(tag)
      }
      bytes.append(PackedObject.Tag.integer)
      add(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    case .number(let value):
      bytes.append(PackedObject.Tag.number)
      add(value.bitPattern)
    case .string(let text): add(text)
    case .array(let elements):
      bytes.append(PackedObject.Tag.array)
      add(UInt64(elements.count))
      for element in elements { add(element) }
    case .object(let object): add(object)
    }
  }

  private mutating func add(_ object: JSON.Object) {
    if let shape = table.shape(of: object.keys) {
      if let tag = PackedObject.Tag.one(of: PackedObject.Tag.shapes, shape) {
        bytes.append(tag)
      } else {
        bytes.append(PackedObject.Tag.shaped)
        add(UInt64(shape))
      }
      for member in object.members { add(member.value) }
      return
    }
    bytes.append(PackedObject.Tag.object)
    add(UInt64(object.count))
    for member in object.members {
      add(whole: member.key)
      add(member.value)
    }
  }

  private mutating func add(_ text: String) {
    if let own, text.hasBytes(of: own) {
      bytes.append(hasOwn ? PackedObject.Tag.ownNameAgain : PackedObject.Tag.ownName)
      if !hasOwn { add(whole: text) }
      hasOwn = true
      return
    }
    switch PackedText(text) {
    case .time(lastTime): bytes.append(PackedObject.Tag.sameTime)
    case .time(let seconds):
      bytes.append(PackedObject.Tag.time)
      add(seconds)
      lastTime = seconds
    case .uuid(let high, let low):
      bytes.append(PackedObject.Tag.uuid)
      add(fixed: high)
      add(fixed: low)
    case .id(let high, let low):
      bytes.append(PackedObject.Tag.id)
      add(fixed: high)
      add(fixed: low)
    case .digits(let value):
      bytes.append(PackedObject.Tag.digits)
      add(value)
    case nil:
      guard let place = table.place(of: text) else {
        bytes.append(PackedObject.Tag.text)
        return add(whole: text)
      }
      if let tag = PackedObject.Tag.one(of: PackedObject.Tag.texts, place) { return bytes.append(tag) }
      bytes.append(PackedObject.Tag.known)
      add(UInt64(place))
    }
  }

  private mutating func add(whole text: String) {
    add(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  private mutating func add(fixed value: UInt64) {
    for shift in stride(from: 56, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }

  private mutating func add(_ value: UInt64) { bytes.append(number: value) }
}

extension [UInt8] {
  /// Seven bits a byte, the lowest first.
  fileprivate mutating func append(number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}

/// Reads what `Packing` wrote in this process, and nothing else.
private struct Unpacking {
  let bytes: [UInt8]
  let table: StringTable
  var place = 0
  var own = ""
  var lastTime: UInt64 = 0

  mutating func value() -> JSON {
    let tag = byte()
    switch tag {
    case PackedObject.Tag.no: return .bool(false)
    case PackedObject.Tag.yes: return .bool(true)
    case PackedObject.Tag.integer:
      let raw = count()
      return .integer(Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1))
    case PackedObject.Tag.number: return .number(Double(bitPattern: count()))
    case PackedObject.Tag.text: return .string(text())
    case PackedObject.Tag.ownName:
      own = text()
      return .string(own)
    case PackedObject.Tag.ownNameAgain: return .string(own)
    case PackedObject.Tag.known: return .string(table.text(at: Int(count())))
    case PackedObject.Tag.time:
      lastTime = count()
      return .string(PackedText.time(lastTime).text)
    case PackedObject.Tag.sameTime: return .string(PackedText.time(lastTime).text)
    case PackedObject.Tag.integers: return .integer(Int64(tag - PackedObject.Tag.integers.lowerBound))
    case PackedObject.Tag.shapes: return shaped(Int(tag - PackedObject.Tag.shapes.lowerBound))
    case PackedObject.Tag.texts: return .string(table.text(at: Int(tag - PackedObject.Tag.texts.lowerBound)))
    case PackedObject.Tag.uuid: return .string(PackedText.uuid(fixed(), fixed()).text)
    case PackedObject.Tag.id: return .string(PackedText.id(fixed(), fixed()).text)
    case PackedObject.Tag.digits: return .string(PackedText.digits(count()).text)
    case PackedObject.Tag.array: return .array((0..<Int(count())).map { _ in value() })
    case PackedObject.Tag.shaped: return shaped(Int(count()))
    case PackedObject.Tag.object: return .object(JSON.Object((0..<Int(count())).map { _ in (text(), value()) }))
    default: return .null
    }
  }

  private mutating func shaped(_ shape: Int) -> JSON {
    .object(JSON.Object(table.names(ofShape: shape).map { ($0, value()) }))
  }

  private mutating func text() -> String {
    let number = Int(count())
    defer { place += number }
    return String(decoding: bytes[place..<place + number], as: UTF8.self)
  }

  private mutating func byte() -> UInt8 {
    defer { place += 1 }
    return bytes[place]
  }

  private mutating func fixed() -> UInt64 { (0..<8).reduce(0) { value, _ in value << 8 | UInt64(byte()) } }

  mutating func count() -> UInt64 {
    var (result, shift): (UInt64, UInt64) = (0, 0)
    while true {
      let next = byte()
      result |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return result }
      shift += 7
    }
  }
}
