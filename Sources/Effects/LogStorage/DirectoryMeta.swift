import Vocabulary

/// The `meta.properties` of a log directory (version 1).
enum DirectoryMeta {
  enum Verdict {
    case refused(String)
    case accepted(DirectoryIdentity, isNew: Bool)
  }

  static func encode(_ identity: DirectoryIdentity) -> [UInt8] {
    Array(
      """
      version=1
      cluster.id=\(identity.clusterID)
      node.id=\(identity.nodeID.value)
      directory.id=\(identity.directoryID)

      """.utf8)
  }

  /// The cluster that a directory belongs to; nil for a new one. What is wrong with the file is `check`'s to say.
  static func clusterID(_ disk: any Disk, _ path: String) throws(StorageError) -> String? {
    try disk.contents(of: "\(path)/\(LogDirectory.metaFile)", limit: 64 << 10).flatMap { properties($0)["cluster.id"] }
  }

  /// Reads and compares; changes nothing.
  static func check(
    _ disk: any Disk, _ path: String, _ expected: DirectoryIdentity
  ) throws(StorageError) -> Verdict {
    guard try disk.size(of: path) != nil else { return .accepted(expected, isNew: true) }
    let file = "\(path)/\(LogDirectory.metaFile)"
    guard let bytes = try disk.contents(of: file, limit: 64 << 10) else {
      let folder = try disk.list(path).first { TopicPartition(folder: $0) != nil }
      if let folder {
        return .refused(
          "\(path) holds partitions such as \(folder), but no \(LogDirectory.metaFile) that says whose they are")
      }
      return .accepted(expected, isNew: true)
    }
    return compare(properties(bytes), file, expected)
  }

  private static func compare(_ lines: [String: String], _ file: String, _ expected: DirectoryIdentity) -> Verdict {
    if let version = lines["version"], version != "1" {
      return .refused("\(file) has version \(version); only version 1 is known")
    }
    guard let cluster = lines["cluster.id"], let node = lines["node.id"].flatMap({ Int32($0) }) else {
      return .refused("\(file) does not name a cluster.id and a node.id")
    }
    guard cluster == expected.clusterID else {
      return .refused("\(file) belongs to the cluster \(cluster), but this node's cluster is \(expected.clusterID)")
    }
    guard node == expected.nodeID.value else {
      return .refused(
        "\(file) belongs to the node with node.id \(node), but this one has node.id \(expected.nodeID.value)")
    }
    let id = lines["directory.id"].flatMap { UniqueID($0) }
    // Directories of Kafka before 3.7 have no id of their own: they get ours.
    let identity = DirectoryIdentity(
      clusterID: cluster, nodeID: expected.nodeID, directoryID: id ?? expected.directoryID)
    return .accepted(identity, isNew: id == nil)
  }

  private static func properties(_ bytes: [UInt8]) -> [String: String] {
    var lines: [String: String] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where !line.hasPrefix("#") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      let value = line[line.index(after: equals)...].drop { $0 == " " }
      lines[String(line[..<equals].filter { $0 != " " })] = String(value.filter { $0 != "\r" })
    }
    return lines
  }
}
