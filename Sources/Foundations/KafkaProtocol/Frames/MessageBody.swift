public import Wire

/// What a client asks. Its fields are in Kafka's order, with Kafka's defaults.
///
/// `decode`, `encode` and `frame` go through requirements although every message takes the default ones: a witness
/// is specialised for its message inside this module, while the default itself, called from another module, is
/// not, and twice as slow.
public protocol RequestBody: WireStruct {
  associatedtype Response: ResponseBody where Response.Request == Self
  static var key: APIKey { get }
  /// What this module can read and write: Apache Kafka 4.3's versions.
  static var versions: ClosedRange<Int16> { get }
  /// The first flexible version (KIP-482); `Int16.max` when none is.
  static var flexibleSince: Int16 { get }

  // What `decode`, `encode` and `frame` call.
  static func specializedDecode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self
  func specializedEncode(version: Int16) -> EncodedMessage
  func specializedFrame(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage
  func specializedPayload(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage
}

/// What a broker answers to one kind of request.
public protocol ResponseBody: WireStruct {
  associatedtype Request: RequestBody where Request.Response == Self

  // What `decode`, `encode` and `frame` call.
  static func specializedDecode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self
  func specializedEncode(version: Int16) -> EncodedMessage
  func specializedFrame(version: Int16, correlationID: Int32) -> EncodedMessage
  func specializedPayload(version: Int16, correlationID: Int32) -> EncodedMessage
}

extension RequestBody {
  /// Reads the body that follows a request's header. Bytes after its last field are ignored, as Kafka ignores them.
  /// Throws `invalidValue` for a version outside of `versions`. Records are ranges of `body`.
  @inline(never)
  public static func decode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self {
    try specializedDecode(body, version: version)
  }

  /// The body without size and header. Fields that the version does not have are left out.
  @inline(never)
  public func encode(version: Int16) -> EncodedMessage { specializedEncode(version: version) }

  /// A whole request frame, from its size on.
  @inline(never)
  public func frame(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage {
    specializedFrame(version: version, correlationID: correlationID, clientID: clientID)
  }

  /// The frame without its size, for a sender that puts it there itself.
  @inline(never)
  public func payload(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage {
    specializedPayload(version: version, correlationID: correlationID, clientID: clientID)
  }

  public static func specializedDecode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self {
    guard versions.contains(version) else { throw .invalidValue("version") }
    return try decodedPrefix(of: body, version: version, flexibleSince: flexibleSince)
  }

  public func specializedEncode(version: Int16) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Self.flexibleSince)
    encoder.message(self)
    return encoder.finish()
  }

  public func specializedFrame(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Self.flexibleSince)
    let header = RequestHeader(key: Self.key, version: version, correlationID: correlationID, clientID: clientID)
    encoder.header { (writer: inout ByteWriter) in
      writer.int32(0)
      header.encode(into: &writer)
    }
    encoder.message(self)
    return encoder.finishFrame()
  }

  public func specializedPayload(version: Int16, correlationID: Int32, clientID: String?) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Self.flexibleSince)
    let header = RequestHeader(key: Self.key, version: version, correlationID: correlationID, clientID: clientID)
    encoder.header { (writer: inout ByteWriter) in header.encode(into: &writer) }
    encoder.message(self)
    return encoder.finish()
  }
}

extension ResponseBody {
  /// Reads the body that follows a response's header, to its last byte.
  /// Throws `invalidValue` for a version outside of the request's. Records are ranges of `body`.
  @inline(never)
  public static func decode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self {
    try specializedDecode(body, version: version)
  }

  /// The body without size and header. Fields that the version does not have are left out.
  @inline(never)
  public func encode(version: Int16) -> EncodedMessage { specializedEncode(version: version) }

  /// A whole response frame, from its size on, which counts the spliced bytes.
  @inline(never)
  public func frame(version: Int16, correlationID: Int32) -> EncodedMessage {
    specializedFrame(version: version, correlationID: correlationID)
  }

  /// The frame without its size, for a sender that puts it there itself.
  @inline(never)
  public func payload(version: Int16, correlationID: Int32) -> EncodedMessage {
    specializedPayload(version: version, correlationID: correlationID)
  }

  public static func specializedDecode(_ body: UnsafeRawBufferPointer, version: Int16) throws(WireError) -> Self {
    guard Request.versions.contains(version) else { throw .invalidValue("version") }
    return try decoded(body, version: version, flexibleSince: Request.flexibleSince)
  }

  public func specializedEncode(version: Int16) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Request.flexibleSince)
    encoder.message(self)
    return encoder.finish()
  }

  public func specializedFrame(version: Int16, correlationID: Int32) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Request.flexibleSince)
    encoder.header { (writer: inout ByteWriter) in
      writer.int32(0)
      Self.header(correlationID, version, into: &writer)
    }
    encoder.message(self)
    return encoder.finishFrame()
  }

  public func specializedPayload(version: Int16, correlationID: Int32) -> EncodedMessage {
    var encoder = Encoder(version: version, flexibleSince: Request.flexibleSince)
    encoder.header { (writer: inout ByteWriter) in Self.header(correlationID, version, into: &writer) }
    encoder.message(self)
    return encoder.finish()
  }

  private static func header(_ correlationID: Int32, _ version: Int16, into writer: inout ByteWriter) {
    ResponseHeader(correlationID: correlationID)
      .encode(into: &writer, isFlexible: Request.key.hasFlexibleResponseHeader(version: version))
  }
}

extension WireStruct {
  /// A message at the beginning of `bytes`, whatever follows it.
  @inline(__always) static func decodedPrefix(
    of bytes: UnsafeRawBufferPointer, version: Int16, flexibleSince: Int16
  ) throws(WireError) -> Self {
    var decoder = Decoder(bytes, version: version, flexibleSince: flexibleSince)
    var message = Self()
    try message.pass(through: &decoder)
    return message
  }

  /// A message alone in `bytes`: anything after its last field is an error.
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
