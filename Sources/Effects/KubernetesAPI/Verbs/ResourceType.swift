public import JSONValue

/// A kind of object that an API server keeps, and where it keeps it.
public struct ResourceType: Hashable, Sendable {
  public enum Scope: Sendable { case namespaced, cluster }
  /// Empty for the core group.
  public let group: String
  public let version: String
  public let plural: String
  public let kind: String
  public let scope: Scope

  public init(_ group: String, _ version: String, _ plural: String, kind: String, scope: Scope = .namespaced) {
    self.group = group
    self.version = version
    self.plural = plural
    self.kind = kind
    self.scope = scope
  }

  /// `apps/v1`, or `v1` for the core group.
  public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

  /// The same objects under another version, such as one that discovery found.
  public func at(version: String) -> ResourceType {
    ResourceType(group, version, plural, kind: kind, scope: scope)
  }

  /// `statefulsets.apps`, for messages.
  public var name: String { group.isEmpty ? plural : "\(plural).\(group)" }

  /// The path of the group and version.
  static func root(_ group: String, _ version: String) -> String {
    group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
  }

  /// The path of the objects of a namespace, or of all when it is nil.
  func path(in namespace: String?) -> String {
    let place = namespace.map { scope == .namespaced && !$0.isEmpty ? "/namespaces/\(escaped($0))" : "" } ?? ""
    return "\(Self.root(group, version))\(place)/\(plural)"
  }

  func path(of key: ObjectKey, _ subresource: Subresource?) -> String {
    "\(path(in: key.namespace))/\(escaped(key.name))" + (subresource.map { "/" + $0.rawValue } ?? "")
  }
}

/// What of an object a request is about, when not about the object itself.
public enum Subresource: String, Sendable { case status, scale, eviction, token }

/// Which object of a resource type. The namespace of what belongs to the whole cluster is empty.
public struct ObjectKey: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let namespace: String
  public let name: String
  public init(namespace: String = "", name: String) {
    self.namespace = namespace
    self.name = name
  }
  /// From an object's metadata; nil when it has no name.
  public init?(of object: JSON) {
    let metadata = object["metadata"]
    guard let name = metadata["name"].string, !name.isEmpty else { return nil }
    self.init(namespace: metadata["namespace"].string ?? "", name: name)
  }
  public static func < (a: Self, b: Self) -> Bool { (a.namespace, a.name) < (b.namespace, b.name) }
  public var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
}

/// Percent-encodes what is not unreserved, for a part of a path or of a query.
func escaped(_ text: String) -> String {
  var result = ""
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
      result.unicodeScalars.append(UnicodeScalar(byte))
    default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
  }
  return result
}
