import CLinux
import Glibc
public import Vocabulary

/// Asks whether somebody answers at an IPv4 address; blocks for about as long as its patience at most.
public struct AddressProbe: Sendable {
  public let host: String
  public let port: UInt16
  /// In whole seconds.
  public let patience: TimeSpan

  public init(host: String, port: UInt16, patience: TimeSpan) {
    self.host = host
    self.port = port
    self.patience = patience
  }

  /// Nil when a connection can be made, else why not.
  public func connectFailure() -> String? {
    let (descriptor, failure) = connect()
    if descriptor >= 0 { close(descriptor) }
    return failure
  }

  /// Nil when GET is answered with a status from 200 to 399, else what came instead.
  public func getFailure(path: String) -> String? {
    let (descriptor, failure) = connect()
    if let failure { return failure }
    defer { close(descriptor) }
    let words = Array(
      "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: kube-probe\r\nConnection: close\r\n\r\n".utf8)
    guard linux_send(descriptor, words, words.count, 0) == words.count else { return "cannot send the probe" }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 256)
    // The status stands in the first bytes.
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

  private func connect() -> (socket: Int32, failure: String?) {
    let words = "dial tcp \(host):\(port)"
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return (-1, "\(words): no socket") }
    var limit = timeval(tv_sec: Int(max(1, patience.milliseconds / 1000)), tv_usec: 0)
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
}
