import Glibc
import JSONValue
import Synchronization
import Vocabulary

@testable import KubernetesAPI

/// A small HTTP server that does what a test says, faults included.
final class ScriptedServer: Sendable {
  struct Request: Sendable {
    let method: String
    /// With its query, as it was sent.
    let target: String
    let headers: [String: String]
    let body: [UInt8]
    var json: JSON { (try? JSON(parsing: body)) ?? .null }
    var path: String { String(target.prefix { $0 != "?" }) }
    func query(_ name: String) -> String? {
      let pairs = target.drop { $0 != "?" }.dropFirst().split(separator: "&")
      return pairs.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
  }
  enum Reaction: Sendable {
    case answer(Int, JSON, headers: [String: String] = [:])
    case raw(String)
    /// The lines of a watch, and what happens after them.
    case stream([JSON], then: Ending)
    /// Reads and never answers.
    case silence
    case cut
  }
  enum Ending: Sendable { case hold, end, cut, garbage }

  let port: Int
  private let listener: Int32
  private let open = Mutex<Set<Int32>>([])
  private let isStopped = Atomic(false)
  private let seen = Mutex<[Request]>([])
  private let react: @Sendable (Request, Int) -> Reaction

  var url: String { "http://127.0.0.1:\(port)" }
  var requests: [Request] { seen.withLock { $0 } }

  /// The closure gets every request with its number, from 1.
  init(port: Int = 0, _ react: @escaping @Sendable (Request, Int) -> Reaction) throws {
    self.react = react
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        let status = bind(listener, pointer, length)
        getsockname(listener, pointer, &length)
        return status
      }
    }
    guard bound == 0, listen(listener, 64) == 0 else { throw SetUp.failed(errno) }
    self.port = Int(in_port_t(bigEndian: address.sin_port))
    try startDetachedThread(name: "scripted") { [weak self] in
      // Closed here and nowhere else, so that the number is not another one's while somebody still uses it.
      defer { close(listener) }
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        guard let server = self, server.admit(connection) else {
          close(connection)
          return
        }
        try? startDetachedThread(name: "scripted") { [weak server] in
          guard let server else {
            close(connection)
            return
          }
          server.serve(connection)
        }
      }
    }
  }
  enum SetUp: Error { case failed(Int32) }

  deinit { stop() }

  /// Nobody is accepted any more, and everybody is cut off.
  func stop() {
    open.withLock { open in
      for connection in open { shutdown(connection, Int32(SHUT_RDWR)) }
      if !isStopped.exchange(true, ordering: .relaxed) { shutdown(listener, Int32(SHUT_RDWR)) }
    }
  }

  private func admit(_ connection: Int32) -> Bool {
    open.withLock { open in
      if isStopped.load(ordering: .relaxed) { return false }
      return open.insert(connection).inserted
    }
  }

  private func serve(_ connection: Int32) {
    defer {
      open.withLock { open in
        open.remove(connection)
        close(connection)
      }
    }
    var buffer: [UInt8] = []
    while let request = read(connection, &buffer) {
      let number = seen.withLock { seen in
        seen.append(request)
        return seen.count
      }
      guard perform(react(request, number), connection) else { return }
    }
  }

  /// Whether the connection goes on.
  private func perform(_ reaction: Reaction, _ connection: Int32) -> Bool {
    switch reaction {
    case .answer(let status, let body, let headers):
      let bytes = body.bytes()
      let lines = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
      send(
        connection,
        "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(bytes.count)\r\n\(lines)\r\n"
          + String(decoding: bytes, as: UTF8.self))
      return true
    case .raw(let text):
      send(connection, text)
      return false
    case .stream(let lines, let ending):
      send(connection, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
      for line in lines { chunk(connection, line.text() + "\n") }
      switch ending {
      case .hold: return holds(connection)
      case .end:
        send(connection, "0\r\n\r\n")
        return true
      case .cut:
        chunk(connection, "{\"type\":\"ADDED\",\"obj")
        return false
      case .garbage:
        chunk(connection, "<html>\n")
        return holds(connection)
      }
    case .silence: return holds(connection)
    case .cut: return false
    }
  }

  /// Waits until the peer goes away.
  private func holds(_ connection: Int32) -> Bool {
    var byte: UInt8 = 0
    while Glibc.read(connection, &byte, 1) > 0 {}
    return false
  }

  private func chunk(_ connection: Int32, _ text: String) {
    send(connection, String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n")
  }

  private func send(_ connection: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      sent += count
    }
  }

  private func read(_ connection: Int32, _ buffer: inout [UInt8]) -> Request? {
    var part = [UInt8](repeating: 0, count: 65536)
    func more() -> Bool {
      let count = Glibc.read(connection, &part, part.count)
      if count > 0 { buffer += part[..<count] }
      return count > 0
    }
    let blank: [UInt8] = [13, 10, 13, 10]
    var end: Int?
    while end == nil {
      end = buffer.indices.first { buffer[$0...].starts(with: blank) }
      if end == nil && !more() { return nil }
    }
    guard let end else { return nil }
    let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    let length = Int(headers["content-length"] ?? "") ?? 0
    while buffer.count < end + 4 + length { if !more() { return nil } }
    let body = Array(buffer[(end + 4)..<(end + 4 + length)])
    buffer.removeFirst(end + 4 + length)
    let words = lines[0].split(separator: " ")
    return Request(method: String(words[0]), target: String(words[1]), headers: headers, body: body)
  }
}

extension ScriptedServer {
  func client(
    _ name: String = "east", patience: Int64 = 20_000, change: (inout ServerTarget) -> Void = { _ in }
  ) throws -> APIServer {
    var target = ServerTarget(origin: "the test", url: url)
    change(&target)
    var settings = APIServer.Settings()
    settings.patience = .milliseconds(patience)
    settings.retry.first = .milliseconds(1)
    return try APIServer(name: name, target: target, settings: settings)
  }
}

/// What API servers say.
enum Said {
  static func status(_ code: Int, _ reason: String, _ message: String = "", causes: JSON = []) -> JSON {
    [
      "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": JSON(code), "reason": JSON(reason),
      "message": JSON(message), "details": ["causes": causes],
    ]
  }
  static func pod(_ name: String, _ version: Int) -> JSON {
    ["metadata": ["name": JSON(name), "namespace": "a", "resourceVersion": JSON(String(version))]]
  }
  static func list(_ items: [JSON], _ version: Int, next: String = "") -> JSON {
    [
      "kind": "PodList", "metadata": ["resourceVersion": JSON(String(version)), "continue": JSON(next)],
      "items": .array(items),
    ]
  }
  static func event(_ type: String, _ object: JSON) -> JSON { ["type": JSON(type), "object": object] }
  static let pods = ResourceType("", "v1", "pods", kind: "Pod")
}
