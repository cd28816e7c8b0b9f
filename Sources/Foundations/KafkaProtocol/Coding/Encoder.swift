import Vocabulary
import Wire

/// Writes the fields of a message.
struct Encoder: ~Copyable, WireCoding {
  /// What `tagged` does: a struct is asked for its tagged fields twice, since their count comes first.
  private enum TagPass { case none, counting, writing }

  let version: Int16
  let isFlexible: Bool
  private(set) var writer: ByteWriter
  private var splices: [EncodedMessage.Splice] = []
  private var pass = TagPass.none
  private var tags: UInt32 = 0

  init(version: Int16, flexibleSince: Int16, capacity: Int = 256) {
    self.version = version
    isFlexible = version >= flexibleSince
    writer = ByteWriter(capacity: capacity)
  }

  consuming func finish() -> EncodedMessage {
    let splices = self.splices
    return EncodedMessage(bytes: writer.finish(), splices: splices)
  }

  /// Ends a frame that began with four bytes for its size.
  consuming func finishFrame() -> EncodedMessage {
    let size = splices.reduce(writer.count - 4) { $0 + $1.count }
    // Answers are bounded well below this by what handlers put into them.
    precondition(size <= Int(Int32.max), "a frame of more than 2 GiB")
    writer.patch(int32: Int32(size), at: 0)
    return finish()
  }

  /// Header fields, whose form does not follow the body's.
  mutating func header(_ write: (inout ByteWriter) -> Void) { write(&writer) }

  @inline(__always) mutating func bool(_ value: inout Bool) { writer.int8(value ? 1 : 0) }
  @inline(__always) mutating func int8(_ value: inout Int8) { writer.int8(value) }
  @inline(__always) mutating func int16(_ value: inout Int16) { writer.int16(value) }
  @inline(__always) mutating func uint16(_ value: inout UInt16) { writer.uint16(value) }
  @inline(__always) mutating func int32(_ value: inout Int32) { writer.int32(value) }
  @inline(__always) mutating func int64(_ value: inout Int64) { writer.int64(value) }
  @inline(__always) mutating func float64(_ value: inout Double) { writer.float64(value) }
  @inline(__always) mutating func uuid(_ value: inout UniqueID) {
    writer.uint64(value.high)
    writer.uint64(value.low)
  }
  @inline(__always) mutating func errorCode(_ value: inout ErrorCode) { writer.int16(value.rawValue) }

  mutating func string(_ value: inout String) { text(value) }

  mutating func nullableString(_ value: inout String?, since: Int16) {
    if let value {
      text(value)
    } else if version < since {
      textLength(0)
    } else if isFlexible {
      writer.unsignedVarint(0)
    } else {
      writer.int16(-1)
    }
  }

  mutating func bytes(_ value: inout [UInt8]) {
    length(value.count)
    writer.raw(value)
  }

  mutating func nullableBytes(_ value: inout [UInt8]?, since: Int16) {
    guard let value else { return null(since: since) }
    length(value.count)
    writer.raw(value)
  }

  mutating func records(_ value: inout RecordsField) {
    if value == .null { length(0) } else { nullableRecords(&value) }
  }

  mutating func nullableRecords(_ value: inout RecordsField) {
    switch value {
    case .null: null(since: 0)
    case .bytes(let bytes):
      length(bytes.count)
      writer.raw(bytes)
    case .inFrame, .spliced:
      let count = value.count
      length(count)
      if count > 0 { splices.append(.init(position: writer.count, count: count)) }
    }
  }

  mutating func array<T: WireValue>(_ values: inout [T]) throws(WireError) {
    length(values.count)
    try elements(values)
  }

  mutating func nullableArray<T: WireValue>(_ values: inout [T]?, since: Int16) throws(WireError) {
    guard let values else { return null(since: since) }
    length(values.count)
    try elements(values)
  }

  mutating func nullableStruct<T: WireStruct>(_ value: inout T?, since: Int16) throws(WireError) {
    guard var some = value ?? (version < since ? T() : nil) else { return writer.int8(-1) }
    writer.int8(1)
    try some.pass(through: &self)
  }

  mutating func tagged<T: WireValue>(_ tag: UInt32, _ value: inout T, absent: T) throws(WireError) {
    guard value != absent else { return }
    switch pass {
    case .none: preconditionFailure("a tagged field outside of codeTagged")
    case .counting: tags += 1
    case .writing:
      // The size comes first. Records are never tagged, so that no splice can be lost here.
      var field = Encoder(version: version, flexibleSince: 0)
      try value.pass(through: &field)
      writer.unsignedVarint(tag)
      writer.unsignedVarint(UInt32(field.writer.count))
      writer.raw(field.finish().bytes)
    }
  }

  @inline(__always) mutating func endOfFields<T: WireStruct>(of value: inout T) throws(WireError) {
    guard isFlexible else { return }
    tags = 0
    pass = .counting
    try value.codeTagged(&self)
    writer.unsignedVarint(tags)
    if tags > 0 {
      pass = .writing
      try value.codeTagged(&self)
    }
    pass = .none
  }

  private mutating func elements<T: WireValue>(_ values: [T]) throws(WireError) {
    for var value in values { try value.pass(through: &self) }
  }

  @inline(__always) private mutating func length(_ count: Int) {
    if isFlexible { writer.unsignedVarint(UInt32(count + 1)) } else { writer.int32(Int32(count)) }
  }

  private mutating func null(since: Int16) {
    if version < since {
      length(0)
    } else if isFlexible {
      writer.unsignedVarint(0)
    } else {
      writer.int32(-1)
    }
  }

  @inline(__always) private mutating func textLength(_ count: Int) {
    if isFlexible { writer.unsignedVarint(UInt32(count + 1)) } else { writer.int16(Int16(count)) }
  }

  @inline(__always) private mutating func text(_ text: String) {
    let count = text.utf8.count
    guard count <= Limits.textBytesMax else { return cutText(text) }
    textLength(count)
    writer.text(text)
  }

  /// Names come from peers and fit, since longer ones are refused when they are read. What does not fit is
  /// text of our own, such as an error message that quotes a name: it is cut, at a whole character.
  private mutating func cutText(_ text: String) {
    var end = text.utf8.index(text.utf8.startIndex, offsetBy: Limits.textBytesMax)
    while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    let kept = String(text.unicodeScalars[..<end])
    textLength(kept.utf8.count)
    writer.text(kept)
  }
}
