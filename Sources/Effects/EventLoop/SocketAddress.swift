import CLinux
import Glibc

/// The address of a peer.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  let raw: Raw
  public let port: UInt16

  /// IPv6, or IPv4 mapped into it, in network order.
  struct Raw: Hashable, Sendable {
    let high: UInt64
    let low: UInt64
  }

  init(_ address: linux_address) {
    raw = Raw(high: address.high, low: address.low)
    port = address.port
  }

  /// The address of a simulated node: 10.0.0.0 and what is counted from there.
  package init(simulated number: UInt16, port: UInt16) {
    let mapped = UInt64(0xffff) << 32 | UInt64(10) << 24 | UInt64(number)
    self.init(linux_address(high: 0, low: mapped.bigEndian, port: port))
  }

  /// The numeric address, such as `10.1.2.3` or `fd00::7`.
  public var host: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      guard let base = text.baseAddress else { return "" }
      linux_address_text(linux_address(high: raw.high, low: raw.low, port: port), base, text.count)
      return String(cString: base)
    }
  }

  public var description: String {
    let host = host
    return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}

/// One address that a name stands for, ready for `bind` or `connect`.
package struct ResolvedAddress: Sendable {
  let family: Int32
  let bytes: [UInt8]

  /// What is written in numbers, without asking anybody; nil for a name.
  static func numeric(host: String, port: UInt16) -> [ResolvedAddress]? {
    host.isEmpty ? nil : try? resolve(host: host, port: port, for: .connecting, flags: AI_NUMERICHOST)
  }

  /// Asks the system's resolver, which may block.
  static func resolve(
    host: String, port: UInt16, for purpose: Purpose, flags: Int32 = 0
  ) throws(SystemError) -> [ResolvedAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | flags
    if case .listening = purpose { hints.ai_flags |= AI_PASSIVE }
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &found)
    guard status == 0 else {
      let code = errno
      let text = status == EAI_SYSTEM ? systemText(of: code) : String(cString: gai_strerror(status))
      throw SystemError("resolve \(host)", code: status == EAI_SYSTEM ? code : 0, explanation: text)
    }
    defer { freeaddrinfo(found) }
    var addresses: [ResolvedAddress] = []
    var entry = found
    while let info = entry {
      if let address = info.pointee.ai_addr {
        let bytes = [UInt8](UnsafeRawBufferPointer(start: address, count: Int(info.pointee.ai_addrlen)))
        addresses.append(ResolvedAddress(family: info.pointee.ai_family, bytes: bytes))
      }
      entry = info.pointee.ai_next
    }
    return addresses
  }

  enum Purpose { case listening, connecting }

  /// 0 or -errno.
  func bind(_ socket: Int32) -> Int32 { call { Glibc.bind(socket, $0, $1) } }
  /// 0 or -errno.
  func connect(_ socket: Int32) -> Int32 { call { Glibc.connect(socket, $0, $1) } }

  private func call(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    bytes.withUnsafeBytes { raw in
      guard let address = raw.assumingMemoryBound(to: sockaddr.self).baseAddress else { return -EINVAL }
      return body(address, socklen_t(raw.count)) == 0 ? 0 : -errno
    }
  }
}
