import CLinux
import EventLoop
import Glibc
import JSONValue
import Vocabulary

/// Asks a container how it is, as a probe declares it.
struct Probe: Sendable {
  let declared: JSON
  let container: JSON
  /// The pod's address.
  let address: String

  var period: TimeSpan { .seconds(declared["periodSeconds"].int64 ?? 10) }
  var delay: TimeSpan { .seconds(declared["initialDelaySeconds"].int64 ?? 0) }
  var patience: TimeSpan { .seconds(max(1, declared["timeoutSeconds"].int64 ?? 1)) }
  var failuresMax: Int { declared["failureThreshold"].int ?? 3 }
  var successesMin: Int { declared["successThreshold"].int ?? 1 }

  /// Nil when all is well, else what is wrong. Blocks for no longer than the probe's patience.
  func failure(run: ([String], TimeSpan) -> Child.Ending?) -> String? {
    if let words = declared["exec"]["command"].strings {
      switch run(words, patience) {
      case .exited(0): return nil
      case let ending?: return "command exited with \(ending.code)"
      case nil: return "command timed out"
      }
    }
    if declared["tcpSocket"].object != nil { return connect(declared["tcpSocket"]).failure }
    if declared["httpGet"].object != nil { return get(declared["httpGet"]) }
    return nil
  }

  private func port(_ value: JSON) -> UInt16 {
    if let number = value.int { return UInt16(clamping: number) }
    let named = container["ports"].elements.first { $0["name"] == value }
    return UInt16(clamping: named?["containerPort"].int ?? Int(value.string ?? "") ?? 0)
  }

  private func connect(_ target: JSON) -> (socket: Int32, failure: String?) {
    let host = target["host"].string ?? address
    let port = port(target["port"])
    let words = "dial tcp \(host):\(port)"
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return (-1, "\(words): no socket") }
    var limit = timeval(tv_sec: Int(patience.milliseconds / 1000), tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    var peer = sockaddr_in()
    peer.sin_family = UInt16(AF_INET)
    peer.sin_port = port.bigEndian
    inet_pton(AF_INET, host, &peer.sin_addr)
    let status = withUnsafeBytes(of: &peer) { bytes -> Int32 in
      guard let base = bytes.baseAddress else { return -1 }
      return Glibc.connect(descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    if status != 0 {
      let code = errno
      close(descriptor)
      return (-1, "\(words): \(String(cString: strerror(code)))")
    }
    return (descriptor, nil)
  }

  private func get(_ target: JSON) -> String? {
    let (descriptor, failure) = connect(target)
    if let failure { return failure }
    defer { close(descriptor) }
    let path = target["path"].string ?? "/"
    let words = Array(
      "GET \(path) HTTP/1.1\r\nHost: \(address)\r\nUser-Agent: kube-probe\r\nConnection: close\r\n\r\n".utf8)
    guard linux_send(descriptor, words, words.count, 0) == words.count else { return "cannot send the probe" }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 256)
    while bytes.count < 16 {
      let count = recv(descriptor, &part, part.count, 0)
      if count <= 0 { break }
      bytes += part[..<count]
    }
    let line = String(decoding: bytes.prefix(64), as: UTF8.self)
    let parts = line.split(separator: " ")
    guard parts.count > 1, line.hasPrefix("HTTP/"), let code = Int(parts[1].prefix(3)) else {
      return "context deadline exceeded: no answer to GET \(path)"
    }
    return (200..<400).contains(code) ? nil : "HTTP probe failed with statuscode: \(code)"
  }
}
