import JSONValue
import KubernetesAPI

/// How a container's words become those of a process here: variables, `$(NAME)`, and paths below mounts.
struct ContainerWords: Sendable {
  /// In the order in which they were declared; later ones may name earlier ones.
  private(set) var environment: [(name: String, value: String)]
  private(set) var command: [String]
  private(set) var arguments: [String]

  /// Where a mount path really is.
  struct Mount: Sendable, Hashable {
    var path: String
    var folder: String
  }

  /// What of other objects is needed that is not there.
  struct Missing: Error, Sendable { let words: String }

  init(_ container: JSON, pod: JSON, address: String, mounts: [Mount], find: (ResourceName, String) -> JSON?)
    throws(Missing)
  {
    var found: [(name: String, value: String)] = []
    for source in container["envFrom"].elements {
      let prefix = source["prefix"].string ?? ""
      found += try Self.texts(source, find).map { (prefix + $0.0, $0.1) }
    }
    for variable in container["env"].elements {
      let name = variable["name"].string ?? ""
      let raw = variable["value"].string
      var value = raw
      if value == nil { value = try Self.value(variable["valueFrom"], pod, address, find) }
      guard let value else { continue }
      let expanded = raw == nil ? value : Self.expanded(value, found)
      found.removeAll { $0.name == name }
      found.append((name, Self.relocated(expanded, mounts)))
    }
    environment = found
    command = (container["command"].strings ?? []).map { Self.relocated(Self.expanded($0, found), mounts) }
    arguments = (container["args"].strings ?? []).map { Self.relocated(Self.expanded($0, found), mounts) }
  }

  private static func texts(_ source: JSON, _ find: (ResourceName, String) -> JSON?) throws(Missing) -> [(
    String, String
  )] {
    let isSecret = source["secretRef"].object != nil
    let reference = isSecret ? source["secretRef"] : source["configMapRef"]
    guard let object = find(isSecret ? .secrets : .configMaps, reference["name"].string ?? "") else {
      if reference["optional"] == true { return [] }
      throw Missing(words: "\(isSecret ? "secret" : "configmap") \"\(reference["name"].string ?? "")\" not found")
    }
    return object["data"].members.map { ($0.key, text($0.value, isSecret)) }
  }

  private static func text(_ value: JSON, _ isSecret: Bool) -> String {
    let text = value.string ?? ""
    return isSecret ? Base64.decode(text).map { String(decoding: $0, as: UTF8.self) } ?? "" : text
  }

  /// Nil for an optional value that is not there.
  private static func value(
    _ source: JSON, _ pod: JSON, _ address: String, _ find: (ResourceName, String) -> JSON?
  ) throws(Missing) -> String? {
    if let path = source["fieldRef"]["fieldPath"].string { return field(path, pod, address) }
    if source["resourceFieldRef"].object != nil { return "0" }
    let isSecret = source["secretKeyRef"].object != nil
    let reference = isSecret ? source["secretKeyRef"] : source["configMapKeyRef"]
    guard let name = reference["name"].string, let key = reference["key"].string else { return "" }
    if let value = find(isSecret ? .secrets : .configMaps, name)?["data"][key], !value.isNull {
      return text(value, isSecret)
    }
    if reference["optional"] == true { return nil }
    throw Missing(words: "couldn't find key \(key) in \(isSecret ? "Secret" : "ConfigMap") \(pod.namespace)/\(name)")
  }

  static func field(_ path: String, _ pod: JSON, _ address: String) -> String {
    switch path {
    case "status.podIP", "status.podIPs": return address
    case "status.hostIP": return "127.0.0.1"
    default: return ColumnPath("." + path).values(in: pod).first?.string ?? ""
    }
  }

  /// `$(NAME)` becomes the variable's value, `$$` becomes `$`, and what is unknown stays.
  static func expanded(_ text: String, _ variables: [(name: String, value: String)]) -> String {
    guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
    var found = ""
    var rest = Substring(text)
    while let first = rest.first {
      rest = rest.dropFirst()
      guard first == "$", let next = rest.first else {
        found.append(first)
        continue
      }
      if next == "$" {
        found.append("$")
        rest = rest.dropFirst()
      } else if next == "(", let end = rest.firstIndex(of: ")") {
        let name = rest[rest.index(after: rest.startIndex)..<end]
        if let value = variables.last(where: { $0.name == name })?.value {
          found += value
        } else {
          found += "$" + rest[rest.startIndex...end]
        }
        rest = rest[rest.index(after: end)...]
      } else {
        found.append(first)
      }
    }
    return found
  }

  /// Paths below a mount become those of its folder, wherever in the text they begin.
  static func relocated(_ text: String, _ mounts: [Mount]) -> String {
    var found: [UInt8] = []
    let bytes = Array(text.utf8)
    let ordered = mounts.sorted { $0.path.utf8.count > $1.path.utf8.count }.map {
      (path: Array($0.path.utf8), folder: Array($0.folder.utf8))
    }
    func isOfPath(_ byte: UInt8) -> Bool {
      byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A
        || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")].contains(byte)
    }
    var place = 0
    while place < bytes.count {
      let before = place > 0 ? bytes[place - 1] : 0x20
      let isStart = bytes[place] == UInt8(ascii: "/") && !isOfPath(before) && before != UInt8(ascii: "/")
      let mount =
        !isStart
        ? nil
        : ordered.first { mount in
          let end = place + mount.path.count
          guard end <= bytes.count, bytes[place..<end].elementsEqual(mount.path) else { return false }
          return end == bytes.count || !isOfPath(bytes[end])
        }
      if let mount {
        found += mount.folder
        place += mount.path.count
      } else {
        found.append(bytes[place])
        place += 1
      }
    }
    return String(decoding: found, as: UTF8.self)
  }
}
