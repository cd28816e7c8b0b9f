import JSONValue
import KubernetesAPI
import Processes

/// The volumes of a pod as folders.
struct Volumes: Sendable {
  /// The folder of the pod's own things.
  let podFolder: String
  /// The folder of claims, which outlive pods.
  let claimsFolder: String

  func folder(of volume: JSON, in namespace: String) -> String {
    if let claim = volume["persistentVolumeClaim"]["claimName"].string {
      return "\(claimsFolder)/\(namespace)_\(claim)"
    }
    if let path = volume["hostPath"]["path"].string { return path }
    return "\(podFolder)/volumes/\(volume["name"].string ?? "")"
  }

  /// Where the mounts of a container are.
  func mounts(of container: JSON, _ pod: JSON) -> [ContainerWords.Mount] {
    container["volumeMounts"].elements.compactMap { mount in
      guard let path = mount["mountPath"].string,
        let volume = pod["spec"]["volumes"].elements.first(where: { $0["name"] == mount["name"] })
      else { return nil }
      var folder = folder(of: volume, in: pod.namespace)
      if let part = mount["subPath"].string, !part.isEmpty { folder += "/" + part }
      let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
      return .init(path: trimmed, folder: folder)
    }
  }

  /// Makes the folders and brings their files up to date. Throws when something that is needed is not there.
  func prepare(_ pod: JSON, find: (ResourceName, String) -> JSON?) throws(ContainerWords.Missing) {
    for volume in pod["spec"]["volumes"].elements {
      let folder = folder(of: volume, in: pod.namespace)
      File.makeFolder(folder)
      var sources = volume["projected"]["sources"].elements
      if volume["configMap"].object != nil || volume["secret"].object != nil { sources.append(volume) }
      if sources.isEmpty && volume["downwardAPI"].object == nil { continue }
      var files: [String: [UInt8]] = [:]
      for source in sources { try Self.read(source, find, into: &files) }
      for item in volume["downwardAPI"]["items"].elements {
        let text = ContainerWords.field(item["fieldRef"]["fieldPath"].string ?? "", pod, "")
        files[item["path"].string ?? ""] = Array(text.utf8)
      }
      Self.put(files, into: folder)
    }
  }

  private static func read(
    _ source: JSON, _ find: (ResourceName, String) -> JSON?, into files: inout [String: [UInt8]]
  ) throws(ContainerWords.Missing) {
    let isSecret = source["secret"].object != nil
    let reference = isSecret ? source["secret"] : source["configMap"]
    let name = reference["secretName"].string ?? reference["name"].string ?? ""
    guard let object = find(isSecret ? .secrets : .configMaps, name) else {
      if reference["optional"] == true || reference.isNull { return }
      throw .init(words: "\(isSecret ? "secret" : "configmap") \"\(name)\" not found")
    }
    var contents: [String: [UInt8]] = [:]
    for member in object["data"].members {
      let text = member.value.string ?? ""
      contents[member.key] = isSecret ? Base64.decode(text) ?? [] : Array(text.utf8)
    }
    for member in object["binaryData"].members { contents[member.key] = Base64.decode(member.value.string ?? "") ?? [] }
    guard let items = reference["items"].array else {
      files.merge(contents) { $1 }
      return
    }
    for item in items {
      if let content = contents[item["key"].string ?? ""] { files[item["path"].string ?? ""] = content }
    }
  }

  /// Writes what differs and removes what is no longer there.
  private static func put(_ files: [String: [UInt8]], into folder: String) {
    for (name, content) in files.sorted(by: { $0.key < $1.key })
    where !name.isEmpty && !name.split(separator: "/").contains("..") {
      let path = "\(folder)/\(name)"
      if let cut = name.lastIndex(of: "/") { File.makeFolder("\(folder)/\(name[..<cut])") }
      if File.read(path) != content { File.replace(path, with: content, mode: 0o644) }
    }
    for name in File.names(in: folder)
    where files[name] == nil && !files.keys.contains(where: { $0.hasPrefix(name + "/") }) {
      File.remove("\(folder)/\(name)")
    }
  }
}
