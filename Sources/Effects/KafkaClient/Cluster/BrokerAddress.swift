/// Where a broker listens. Written `host:port`; an IPv6 address stands in brackets.
public struct BrokerAddress: Hashable, Sendable, CustomStringConvertible {
  public let host: String
  public let port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Nil unless the text is a host, a colon and a port from 1 to 65535.
  public init?(_ text: some StringProtocol) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
      return nil
    }
    var host = text[..<colon]
    if host.first == "[", host.last == "]" {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, !host.contains(where: \.isWhitespace) else { return nil }
    self.init(host: String(host), port: port)
  }

  /// What `--bootstrap-server` takes: addresses with commas between them. Nil where one of them is none.
  public static func list(_ text: String) -> [BrokerAddress]? {
    let parts = text.split(separator: ",")
    let addresses = parts.compactMap { BrokerAddress($0) }
    return addresses.isEmpty || addresses.count != parts.count ? nil : addresses
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
