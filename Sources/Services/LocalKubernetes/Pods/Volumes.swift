import Glibc
import JSONValue
import KubernetesAPI

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
      unlink("\(folder)/\(name)")
    }
  }
}

extension File {
  /// The names in a folder, without `.` and `..`.
  static func names(in folder: String) -> [String] {
    guard let listing = opendir(folder) else { return [] }
    defer { closedir(listing) }
    var found: [String] = []
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { found.append(name) }
    }
    return found.sorted()
  }

  /// The end of a file; nil when there is none.
  static func tail(_ path: String, bytesMax: Int) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    lseek(descriptor, max(0, size - bytesMax), SEEK_SET)
    var bytes = [UInt8](repeating: 0, count: min(max(0, size), bytesMax))
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
