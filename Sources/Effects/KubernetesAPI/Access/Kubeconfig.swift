import EventLoop
import Glibc
import JSONValue
import YAML

/// The clusters, users and contexts of one or several kubeconfig files.
public struct Kubeconfig: Sendable {
  /// What a kubeconfig may make us do.
  public enum Trust: Sendable {
    /// It is the user's own: it may name files and programs.
    case own
    /// Others can write it, such as a Secret. What it names in our file system would be sent to a server of its
    /// choice, and its programs would run as us; so it must carry everything itself.
    case dataOnly
  }

  struct Entry: Sendable {
    let value: JSON
    let file: String
    let trust: Trust
  }
  private(set) var clusters: [String: Entry] = [:]
  private(set) var users: [String: Entry] = [:]
  private(set) var contexts: [String: Entry] = [:]
  /// The context that is taken when none is named.
  public private(set) var currentContext: String?
  /// The files that were read, in their order.
  public private(set) var files: [String] = []

  public var contextNames: [String] { contexts.keys.sorted() }

  private init() {}

  /// Reads the text of one file. Its name is used in messages, and relative paths begin at its folder.
  public init(text: String, file: String, trust: Trust) throws(KubeconfigError) {
    try add(text, file: file, trust: trust)
  }

  /// Reads the files of the environment: those of `KUBECONFIG`, separated by colons, or `~/.kube/config`. As with
  /// kubectl, files that do not exist are passed over, and of several entries with one name the first one counts.
  public init(environment: [String: String]) throws(KubeconfigError) {
    let listed = (environment["KUBECONFIG"] ?? "").split(separator: ":").map(String.init)
    let home = environment["HOME"].map { $0 + "/.kube/config" }
    try self.init(files: listed.isEmpty ? [home].compactMap { $0 } : listed)
  }

  public init(files: [String]) throws(KubeconfigError) {
    for file in files {
      let bytes: [UInt8]
      do { bytes = try SmallFile.read(file) } catch {
        if error.code == ENOENT { continue }
        throw KubeconfigError("\(error)")
      }
      guard let text = String(validating: bytes, as: UTF8.self) else { throw KubeconfigError("\(file) is not UTF-8") }
      try add(text, file: file, trust: .own)
    }
    guard !self.files.isEmpty else {
      throw KubeconfigError(
        files.isEmpty
          ? "there is no kubeconfig: neither KUBECONFIG nor HOME is set"
          : "there is no kubeconfig: \(files.joined(separator: " and ")) \(files.count == 1 ? "does" : "do") not exist")
    }
  }

  private mutating func add(_ text: String, file: String, trust: Trust) throws(KubeconfigError) {
    let documents: [JSON]
    do { documents = try JSON.documents(inYAML: text) } catch { throw KubeconfigError("\(file), \(error)") }
    files.append(file)
    guard let document = documents.first, !document.isNull else { return }
    guard documents.count == 1 else {
      throw KubeconfigError("\(file) has \(documents.count) documents, and one is right")
    }
    guard document.object != nil else {
      throw KubeconfigError("\(file) is \(document.kind), and a kubeconfig is an object")
    }
    let kind = document["kind"].scalarText ?? "Config"
    guard kind == "Config" else { throw KubeconfigError("\(file) is a \(kind), and a kubeconfig has the kind Config") }
    try collect("clusters", "cluster", of: document, file, trust, into: &clusters)
    try collect("users", "user", of: document, file, trust, into: &users)
    try collect("contexts", "context", of: document, file, trust, into: &contexts)
    if currentContext == nil, let current = document["current-context"].scalarText, !current.isEmpty {
      currentContext = current
    }
  }

  private func collect(
    _ list: String, _ item: String, of document: JSON, _ file: String, _ trust: Trust, into found: inout [String: Entry]
  ) throws(KubeconfigError) {
    guard !document[list].isNull else { return }
    guard let entries = document[list].array else {
      throw KubeconfigError("\(file): \(list) is \(document[list].kind), and has to be an array")
    }
    for (place, entry) in entries.enumerated() {
      guard let name = entry["name"].scalarText, !name.isEmpty else {
        throw KubeconfigError("\(file): \(list)[\(place)] has no name")
      }
      if found[name] == nil { found[name] = Entry(value: entry[item], file: file, trust: trust) }
    }
  }
}

extension Kubeconfig {
  /// What a context says, the current one if none is named.
  public func target(context chosen: String? = nil) throws(KubeconfigError) -> ServerTarget {
    let source = files.joined(separator: " and ")
    guard let name = chosen ?? currentContext else {
      throw KubeconfigError("\(source) has no current-context, so a context has to be named: \(offered(contextNames))")
    }
    guard let context = contexts[name] else {
      throw KubeconfigError("\(source) has no context \(name), but \(offered(contextNames))")
    }
    let origin = "context \(name) of \(context.file)"
    func named(_ key: String, in entries: [String: Entry], _ what: String) throws(KubeconfigError) -> Entry {
      guard let other = context.value[key].scalarText, !other.isEmpty else {
        throw KubeconfigError("\(origin) names no \(what)")
      }
      guard let entry = entries[other] else {
        throw KubeconfigError(
          "\(origin) names the \(what) \(other), and there is none, but \(offered(entries.keys.sorted()))")
      }
      return entry
    }
    let cluster = try named("cluster", in: clusters, "cluster")
    var target = try Self.cluster(cluster, origin)
    target.namespace = context.value["namespace"].scalarText
    // A context without a user is anonymous, which some local servers allow.
    if let user = context.value["user"].scalarText, !user.isEmpty {
      try UserReader(entry: try named("user", in: users, "user"), name: user, origin: origin).read(into: &target)
    }
    return target
  }

  private func offered(_ names: [String]) -> String {
    names.isEmpty ? "none at all" : names.joined(separator: ", ")
  }

  private static func cluster(_ entry: Entry, _ origin: String) throws(KubeconfigError) -> ServerTarget {
    let value = entry.value
    guard let server = value["server"].scalarText, !server.isEmpty else {
      throw KubeconfigError("the cluster of \(origin) has no server")
    }
    guard ServerAddress(server) != nil else {
      throw KubeconfigError("the server of \(origin) is \(server), and has to be like https://host:port")
    }
    var target = ServerTarget(origin: origin, url: server.hasSuffix("/") ? String(server.dropLast()) : server)
    let fields = FieldReader(value: value, file: entry.file, trust: entry.trust, owner: "the cluster of \(origin)")
    target.authorities = try fields.bytes("certificate-authority")
    target.isVerified = value["insecure-skip-tls-verify"].bool != true
    if !target.isVerified && target.authorities != nil {
      throw KubeconfigError(
        "the cluster of \(origin) has both a certificate-authority and insecure-skip-tls-verify: one of them is meant")
    }
    target.serverName = value["tls-server-name"].scalarText
    if let proxy = value["proxy-url"].scalarText, !proxy.isEmpty {
      guard ["http://", "https://", "socks5://", "socks5h://"].contains(where: proxy.hasPrefix) else {
        throw KubeconfigError("the proxy-url of \(origin) is \(proxy), and has to begin with http, https or socks5")
      }
      target.proxy = proxy
    }
    return target
  }
}
