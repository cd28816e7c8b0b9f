import EventLoop
import Glibc
import HTTP
import Testing
import Vocabulary

/// One connection that sends what it is told and reads until the server closes or `count` answers are there.
private final class Client {
  let descriptor: Int32
  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = UInt16(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    let status = withUnsafeBytes(of: &address) {
      connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count))
    }
    try #require(status == 0)
  }
  deinit { close(descriptor) }

  func send(_ text: String) throws {
    let bytes = Array(text.utf8)
    try #require(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
  }

  /// Everything until the server closes.
  func readAll() -> String {
    var all: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = recv(descriptor, &part, part.count, 0)
      if count <= 0 { return String(decoding: all, as: UTF8.self) }
      all += part[..<count]
    }
  }

  static func ask(_ port: UInt16, _ text: String) throws -> String {
    let client = try Client(port: port)
    try client.send(text)
    return client.readAll()
  }
}

private func get(_ path: String, method: String = "GET", headers: String = "") -> String {
  "\(method) \(path) HTTP/1.1\r\nHost: x\r\n\(headers)Connection: close\r\n\r\n"
}

private func server(_ handler: @escaping HTTPServer.Handler) throws -> HTTPServer {
  try HTTPServer(host: "127.0.0.1", port: 0, handler: handler)
}

@Suite struct HTTPServerTests {
  @Test func aPathIsAnsweredWithStatusTypeAndBody() throws {
    let server = try server { request in
      request.path == "/livez" ? .text("ok") : .text("nothing here", status: 404)
    }
    let answer = try Client.ask(server.port, get("/livez"))
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(answer.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"))
    #expect(answer.contains("\r\nContent-Length: 3\r\n"))
    #expect(answer.hasSuffix("\r\n\r\nok\n"))
    #expect(try Client.ask(server.port, get("/other")).hasPrefix("HTTP/1.1 404 Not Found\r\n"))
  }

  @Test func headHasTheLengthAndNoBody() throws {
    let server = try server { _ in .text("hello") }
    let answer = try Client.ask(server.port, get("/", method: "HEAD"))
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(answer.contains("\r\nContent-Length: 6\r\n"))
    #expect(answer.hasSuffix("\r\n\r\n"))
  }

  @Test(arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "NONSENSE"])
  func otherMethodsAreRefusedAndNeverReachTheHandler(method: String) throws {
    let server = try server { _ in
      Issue.record("the handler was asked")
      return .text("")
    }
    let request = "\(method) / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    let answer = try Client.ask(server.port, request)
    #expect(answer.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
    #expect(answer.contains("\r\nAllow: GET, HEAD\r\n"))
  }

  @Test func theHandlerSeesPathQueryAndHeaders() throws {
    let server = try server { request in
      let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
      return .text("\(request.path)|\(query)|\(request.header("x-note") ?? "-")|\(request.header("y") ?? "-")")
    }
    let answer = try Client.ask(server.port, get("/a%20b?one=1&two=%26&one=3&four", headers: "X-Note: hi\r\n"))
    #expect(answer.hasSuffix("\r\n\r\n/a b|one=1;two=&;one=3;four=|hi|-\n"))
  }

  @Test func aLargeBodyArrivesWhole() throws {
    let body = String(repeating: "0123456789\n", count: 200_000)
    let server = try server { _ in HTTPResponse(contentType: "text/plain", body: Array(body.utf8)) }
    let answer = try Client.ask(server.port, get("/"))
    #expect(answer.hasSuffix(body) && answer.contains("Content-Length: \(body.utf8.count)\r\n"))
  }

  @Test func oneConnectionServesManyRequests() throws {
    let server = try server { .text($0.path) }
    let client = try Client(port: server.port)
    try client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n" + get("/3"))
    let answer = client.readAll()
    #expect(answer.components(of: "HTTP/1.1 200 OK") == 3)
    #expect(answer.hasSuffix("/3\n"))
  }

  @Test func headersLargerThanTheMemoryAreRefused() throws {
    let server = try server { _ in .text("ok") }
    let answer = try Client.ask(server.port, get("/", headers: "X: \(String(repeating: "x", count: 60_000))\r\n"))
    #expect(!answer.contains("200 OK"))
    #expect(try Client.ask(server.port, get("/")).hasSuffix("ok\n"))
  }

  @Test(arguments: ["\r\n\r\n", "GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"])
  func nonsenseIsNotFatal(text: String) throws {
    var limits = HTTPLimits()
    limits.timeout = .seconds(1)
    let server = try HTTPServer(host: "127.0.0.1", port: 0, limits: limits) { _ in .text("ok") }
    let client = try Client(port: server.port)
    try client.send(text)
    shutdown(client.descriptor, Int32(SHUT_WR))
    _ = client.readAll()
    #expect(try Client.ask(server.port, get("/")).hasSuffix("ok\n"))
  }

  @Test func stopClosesThePortAndMayBeRepeated() throws {
    let server = try server { _ in .text("ok") }
    let idle = try Client(port: server.port)
    try idle.send("GET / HT")
    server.stop()
    server.stop()
    #expect(idle.readAll() == "")
    // The port is free again.
    _ = try HTTPServer(host: "127.0.0.1", port: server.port) { _ in .text("ok") }
  }

  @Test func aPortThatIsTakenIsNamedInTheError() throws {
    let server = try server { _ in .text("ok") }
    let error = #expect(throws: SystemError.self) {
      try HTTPServer(host: "127.0.0.1", port: server.port) { _ in .text("") }
    }
    #expect(error?.code == EADDRINUSE)
    #expect(error?.description.contains("127.0.0.1:\(server.port)") == true)
  }
}

extension String {
  fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
