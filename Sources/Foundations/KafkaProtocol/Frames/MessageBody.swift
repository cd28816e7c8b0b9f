public import Wire

/// What a client asks. Its fields are in Kafka's order, with Kafka's defaults.
///
/// `decode`, `encode` and `frame` are requirements, although every message takes the default ones, because a
/// witness is specialised for its message inside this module: generic code that calls them through
/// `Body: RequestBody` is then fast, and the caller's module needs to know nothing about coders.
public protocol RequestBody: WireStruct {
  associatedtype Response: ResponseBody where Response.Request == Self
  static var key: APIKey { get }
  /// What this module can read and write: Apache Kafka 4.3's versions.
  static var versions: ClosedRange<Int16> { get }
  /// The first flexible version (KIP-482); `Int16.max` when none is.
  static var flexibleSince: Int16 { get }

  /// Reads the body that follows a request's header, to its last byte.
  /// Throws `invalidValue` for a version outside of `versions`. Records are ranges of `body`.
  static func decode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self
  /// The body without size and header. Fields that the version does not have are left out.
  func encode(version: Int16) -> EncodedMessage
  /// A whole request frame, from its size on.
  func frame(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage
  /// The frame without its size, for a sender that puts it there itself.
  func payload(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage
}

/// What a broker answers to one kind of request.
public protocol ResponseBody: WireStruct {
  associatedtype Request: RequestBody where Request.Response == Self

  /// Reads the body that follows a response's header, to its last byte.
  /// Throws `invalidValue` for a version outside of the request's. Records are ranges of `body`.
  static func decode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self
  /// The body without size and header. Fields that the version does not have are left out.
  func encode(version: Int16) -> EncodedMessage
  /// A whole response frame, from its size on, which counts the spliced bytes.
  func frame(version: Int16, correlationID: Int32) -> EncodedMessage
  /// The frame without its size, for a sender that puts it there itself.
  func payload(version: Int16, correlationID: Int32) -> EncodedMessage
}

extension RequestBody {
  public static func decode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self {
    guard versions.contains(version) else { throw .invalidValue("version") }
    return try decoded(body, version: version, flexibleSince: flexibleSince)
  }

  public func encode(version: Int16) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Self.flexibleSince)
    encoder.message(self)
    return encoder.finish()
  }

  public func payload(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Self.flexibleSince)
    let header = RequestHeader(key: Self.key, version: version, correlationID: correlationID, clientID: clientID)
    encoder.header { (writer: inout ByteWriter) in header.encode(into: &writer) }
    encoder.message(self)
    return encoder.finish()
  }

  public func frame(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Self.flexibleSince)
    let header = RequestHeader(key: Self.key, version: version, correlationID: correlationID, clientID: clientID)
    encoder.header { (writer: inout ByteWriter) in
      writer.int32(0)
      header.encode(into: &writer)
    }
    encoder.message(self)
    return encoder.finishFrame()
  }
}

extension ResponseBody {
  public static func decode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self {
    guard Request.versions.contains(version) else { throw .invalidValue("version") }
    return try decoded(body, version: version, flexibleSince: Request.flexibleSince)
  }

  public func encode(version: Int16) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Request.flexibleSince)
    encoder.message(self)
    return encoder.finish()
  }

  public func payload(version: Int16, correlationID: Int32) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Request.flexibleSince)
    let header = ResponseHeader(correlationID: correlationID)
    encoder.header { (writer: inout ByteWriter) in
      header.encode(into: &writer, isFlexible: Request.key.hasFlexibleResponseHeader(version: version))
    }
    encoder.message(self)
    return encoder.finish()
  }

  public func frame(version: Int16, correlationID: Int32) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Request.flexibleSince)
    let header = ResponseHeader(correlationID: correlationID)
    encoder.header { (writer: inout ByteWriter) in
      writer.int32(0)
      header.encode(into: &writer, isFlexible: Request.key.hasFlexibleResponseHeader(version: version))
    }
    encoder.message(self)
    return encoder.finishFrame()
  }
}

extension WireStruct {
  /// A message alone in `bytes`.
  @inline(__always) static func decoded(
    _ bytes: UnsafeRawBufferPointer, version: Int16, flexibleSince: Int16
  ) throws(WireError) -> Self {
    var decoder = Decoder(bytes, version: version, flexibleSince: flexibleSince)
    var message = Self()
    try message.pass(through: &decoder)
    try decoder.expectEnd()
    return message
  }
}

extension Encoder {
  @inline(__always) mutating func message<Message: WireStruct>(_ message: Message) {
    var message = message
    do { try message.pass(through: &self) } catch { preconditionFailure("writing a message never fails: \(error)") }
  }
}
