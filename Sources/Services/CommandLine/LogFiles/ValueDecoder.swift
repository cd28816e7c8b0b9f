import KafkaProtocol
import Vocabulary

/// Shows keys and values of records: those of the internal topics by what they mean, all others as text.
struct ValueDecoder {
  private enum Topic {
    case offsets
    case metadata
    case other
  }
  private let topic: Topic

  /// The folder's name tells which topic it is.
  init(path: String) {
    let parts = path.split(separator: "/")
    let folder = parts.count > 1 ? parts[parts.count - 2] : ""
    if folder.hasPrefix(TopicName.consumerOffsets.text + "-") {
      topic = .offsets
    } else if folder.hasPrefix(TopicName.clusterMetadata.text + "-") {
      topic = .metadata
    } else {
      topic = .other
    }
  }

  func key(of record: OwnedRecord, isControl: Bool) -> String {
    guard let key = record.key else { return "null" }
    if isControl { return controlType(key) }
    if topic == .offsets, let found = try? GroupRecordKey.decode(key) { return "\(found)" }
    return printable(key)
  }

  func value(of record: OwnedRecord, isControl: Bool) -> String {
    guard let value = record.value else { return "null" }
    let key = record.key ?? []
    if isControl {
      if let found = try? QuorumRecord.decode(key: key, value: value) { return "\(found)" }
      return printable(value)
    }
    switch topic {
    case .offsets: return groupValue(value, key: key) ?? printable(value)
    case .metadata: return (try? MetadataRecord.decodeValue(value)).flatMap { $0 }.map { "\($0)" } ?? printable(value)
    case .other: return printable(value)
    }
  }

  /// The key of a control record is a version and a type, two bytes each.
  private func controlType(_ key: [UInt8]) -> String {
    guard key.count >= 4 else { return printable(key) }
    switch Int(key[2]) << 8 | Int(key[3]) {
    case 0: return "ABORT"
    case 1: return "COMMIT"
    case 2: return "LEADER_CHANGE"
    case 3: return "SNAPSHOT_HEADER"
    case 4: return "SNAPSHOT_FOOTER"
    case 5: return "KRAFT_VERSION"
    case 6: return "KRAFT_VOTERS"
    case let other: return "control \(other)"
    }
  }

  private func groupValue(_ value: [UInt8], key: [UInt8]) -> String? {
    func shown<Value: VersionedRecord>(_: Value.Type) -> String? { (try? Value.decode(value)).map { "\($0)" } }
    guard let key = (try? GroupRecordKey.decode(key)).flatMap({ $0 }) else { return nil }
    switch key {
    case .offsetCommit: return shown(OffsetCommitValue.self)
    case .groupMetadata: return shown(GroupMetadataValue.self)
    case .consumerGroupMetadata: return shown(ConsumerGroupMetadataValue.self)
    case .consumerGroupPartitionMetadata: return shown(ConsumerGroupPartitionMetadataValue.self)
    case .consumerGroupMemberMetadata: return shown(ConsumerGroupMemberMetadataValue.self)
    case .consumerGroupTargetAssignmentMetadata: return shown(ConsumerGroupTargetAssignmentMetadataValue.self)
    case .consumerGroupTargetAssignmentMember: return shown(ConsumerGroupTargetAssignmentMemberValue.self)
    case .consumerGroupCurrentMemberAssignment: return shown(ConsumerGroupCurrentMemberAssignmentValue.self)
    case .consumerGroupRegularExpression: return shown(ConsumerGroupRegularExpressionValue.self)
    }
  }
}

/// Text as it is; what is no text, or would disturb a terminal, as hexadecimal digits.
func printable(_ bytes: [UInt8]?) -> String {
  guard let bytes else { return "null" }
  if let text = String(validating: bytes, as: UTF8.self),
    text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
  {
    return text
  }
  let digits = Array("0123456789abcdef".utf8)
  return "0x" + String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
