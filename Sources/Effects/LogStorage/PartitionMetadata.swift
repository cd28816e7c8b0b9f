import Vocabulary

/// The `partition.metadata` file: which topic a folder belongs to (KIP-516).
enum PartitionMetadata {
  static func encode(_ topicID: UniqueID) -> [UInt8] { Array("version: 0\ntopic_id: \(topicID)\n".utf8) }

  /// Nil where the file is missing or cut off.
  static func read(_ path: String, on disk: any Disk) throws(StorageError) -> UniqueID? {
    guard let bytes = try disk.contents(of: path, limit: 4096),
      let text = String(validating: bytes, as: UTF8.self)
    else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("topic_id: ") {
      return UniqueID(String(line.dropFirst("topic_id: ".count)))
    }
    return nil
  }
}
