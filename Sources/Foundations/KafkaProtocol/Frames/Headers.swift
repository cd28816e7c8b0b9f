public import Wire

/// What every request begins with.
///
/// Version 1 of the header is key, version, correlation id and client id; version 2, of flexible requests, adds
/// tagged fields. The client id keeps its two-byte length in both, so that a broker can read it without
/// knowing the request's version (KIP-511).
public struct RequestHeader: Sendable, Hashable {
  public var key: APIKey
  public var version: Int16
  /// Comes back in the response's header.
  public var correlationID: Int32
  public var clientID: String?

  public init(key: APIKey, version: Int16, correlationID: Int32, clientID: String?) {
    self.key = key
    self.version = version
    self.correlationID = correlationID
    self.clientID = clientID
  }

  /// The part that every broker can read of every request: enough to refuse it in the right words.
  public struct Opening: Sendable, Hashable {
    public let rawKey: Int16
    public let version: Int16
    public let correlationID: Int32
    /// Nil for a request that we do not know.
    public var key: APIKey? { APIKey(rawValue: rawKey) }
  }

  /// The frame's first eight bytes, after its size.
  public static func peek(_ frame: UnsafeRawBufferPointer) throws(WireError) -> Opening {
    var reader = ByteReader(frame)
    return try opening(&reader)
  }

  /// Reads the header of a frame without its size, and says where the body begins.
  ///
  /// Throws `invalidValue` for a key that we do not know. The version may be any: callers look at `peek`
  /// first and answer UNSUPPORTED_VERSION themselves.
  public static func decode(_ frame: UnsafeRawBufferPointer) throws(WireError) -> (RequestHeader, bodyStart: Int) {
    var reader = ByteReader(frame)
    let opening = try opening(&reader)
    guard let key = opening.key else { throw .invalidValue("API key") }
    let header = RequestHeader(
      key: key, version: opening.version, correlationID: opening.correlationID, clientID: try clientID(&reader))
    if opening.version >= key.flexibleSince { try skipTaggedFields(&reader) }
    return (header, reader.position)
  }

  func encode(into writer: inout ByteWriter) {
    writer.int16(key.rawValue)
    writer.int16(version)
    writer.int32(correlationID)
    if let clientID, clientID.utf8.count <= Limits.textBytesMax {
      writer.int16(Int16(clientID.utf8.count))
      writer.text(clientID)
    } else {
      writer.int16(-1)
    }
    if version >= key.flexibleSince { writer.unsignedVarint(0) }
  }

  private static func opening(_ reader: inout ByteReader) throws(WireError) -> Opening {
    let key = try reader.int16()
    let version = try reader.int16()
    return Opening(rawKey: key, version: version, correlationID: try reader.int32())
  }

  private static func clientID(_ reader: inout ByteReader) throws(WireError) -> String? {
    let count = Int(try reader.int16())
    if count == -1 { return nil }
    return try reader.text(count)
  }
}

/// What every response begins with: version 1, of flexible responses, has tagged fields.
public struct ResponseHeader: Sendable, Hashable {
  public var correlationID: Int32

  public init(correlationID: Int32) { self.correlationID = correlationID }

  /// Reads the header of a frame without its size, and says where the body begins. The client knows from
  /// the correlation id which request this answers; it needs key and version to read on.
  public static func decode(
    _ frame: UnsafeRawBufferPointer, key: APIKey, version: Int16
  ) throws(WireError) -> (ResponseHeader, bodyStart: Int) {
    var reader = ByteReader(frame)
    let header = ResponseHeader(correlationID: try reader.int32())
    if key.hasFlexibleResponseHeader(version: version) { try skipTaggedFields(&reader) }
    return (header, reader.position)
  }

  func encode(into writer: inout ByteWriter, isFlexible: Bool) {
    writer.int32(correlationID)
    if isFlexible { writer.unsignedVarint(0) }
  }
}

extension APIKey {
  /// An ApiVersions response never has the flexible header: the client does not know yet which version
  /// the broker answers in (KIP-511).
  func hasFlexibleResponseHeader(version: Int16) -> Bool {
    self != .apiVersions && version >= flexibleSince
  }
}

/// No header has a tagged field that we know.
private func skipTaggedFields(_ reader: inout ByteReader) throws(WireError) {
  let count = Int(try reader.unsignedVarint())
  // Each takes at least two bytes, its number and its size.
  guard count <= reader.remaining / 2 else { throw .impossibleLength(count) }
  for _ in 0..<count {
    _ = try reader.unsignedVarint()
    _ = try reader.advance(Int(try reader.unsignedVarint()))
  }
}
