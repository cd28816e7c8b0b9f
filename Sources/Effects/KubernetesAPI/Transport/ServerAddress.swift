/// The parts of an address such as `https://[::1]:6443/prefix`.
struct ServerAddress: Sendable, Hashable {
  let scheme: String
  /// An IPv6 address keeps its brackets.
  let host: String
  let port: Int
  private let hasPort: Bool
  /// With its leading slash, or empty.
  let path: String

  /// Nil for what is neither http nor https, has no host, or a port that is none.
  init?(_ url: String) {
    if url.hasPrefix("https://") {
      scheme = "https"
    } else if url.hasPrefix("http://") {
      scheme = "http"
    } else {
      return nil
    }
    let rest = url.dropFirst(scheme.utf8.count + 3)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    path = String(rest.dropFirst(authority.count))
    guard !authority.isEmpty, !authority.contains("@"), !authority.contains(" ") else { return nil }
    var host = authority
    var port: Substring?
    if authority.first == "[" {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[...end]
      let after = authority[authority.index(after: end)...]
      if after.first == ":" { port = after.dropFirst() } else if !after.isEmpty { return nil }
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      port = authority[authority.index(after: colon)...]
    }
    guard !host.isEmpty else { return nil }
    self.host = String(host)
    hasPort = port != nil
    if let port {
      guard let number = UInt16(port), number > 0 else { return nil }
      self.port = Int(number)
    } else {
      self.port = scheme == "https" ? 443 : 80
    }
  }

  var hostAndPort: String { hasPort ? "\(host):\(port)" : host }
  func url(host: String) -> String { "\(scheme)://\(host):\(port)\(path)" }
}
