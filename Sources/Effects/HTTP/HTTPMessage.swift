/// What a client asks for.
public struct HTTPRequest: Sendable {
  public enum Method: String, Sendable {
    case get = "GET"
    case head = "HEAD"
  }
  public let method: Method
  /// Without the query, percent-decoded, such as `/metrics`.
  public let path: String
  /// In the order in which it was sent; names may repeat.
  public let query: [(name: String, value: String)]
  /// Names are in lower case.
  public let headers: [(name: String, value: String)]

  /// The first value of a header; the name in lower case.
  public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// What a client is answered. To HEAD the body is not sent, but its length is.
public struct HTTPResponse: Sendable {
  /// Such as 200.
  public var status: Int
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]

  public init(status: Int = 200, contentType: String, body: [UInt8]) {
    self.status = status
    headers = [("Content-Type", contentType)]
    self.body = body
  }

  /// A few words, ended by a newline.
  public static func text(_ words: String, status: Int = 200) -> HTTPResponse {
    HTTPResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array((words + "\n").utf8))
  }
}
