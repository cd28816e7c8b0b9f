public import Wire

/// A record's value, or bytes inside a message, that begin with the version of the fields that follow.
public protocol VersionedRecord: WireStruct {
  static var versions: ClosedRange<Int16> { get }
  /// The first flexible version (KIP-482); `Int16.max` when none is.
  static var flexibleSince: Int16 { get }
  /// The version to write when nobody asks for another.
  static var written: Int16 { get }
  /// Later versions only add fields at the end, so that they can be read as the last one that is known.
  static var laterVersionsOnlyAdd: Bool { get }

  /// Throws `invalidValue` for a version that this release does not know.
  static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Self
  /// Fields that the version does not have are left out. The version must be one of `versions`.
  func encode(version: Int16) -> [UInt8]
}

extension VersionedRecord {
  public static var written: Int16 { versions.upperBound }
  public static var laterVersionsOnlyAdd: Bool { false }

  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Self {
    var reader = ByteReader(bytes)
    let version = try reader.int16()
    let body = UnsafeRawBufferPointer(rebasing: bytes[reader.position...])
    if versions.contains(version) { return try decoded(body, version: version, flexibleSince: flexibleSince) }
    guard laterVersionsOnlyAdd, version > versions.upperBound else { throw .invalidValue("version") }
    return try decodedPrefix(of: body, version: versions.upperBound, flexibleSince: flexibleSince)
  }

  public func encode(version: Int16) -> [UInt8] {
    precondition(Self.versions.contains(version), "a version that the record does not have")
    var encoder = Encoder(version: version, flexibleSince: Self.flexibleSince, capacity: 64)
    encoder.header { (writer: inout ByteWriter) in writer.int16(version) }
    encoder.message(self)
    return encoder.finish().bytes
  }

  public func encode() -> [UInt8] { encode(version: Self.written) }
}
