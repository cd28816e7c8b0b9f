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

  func key(of record: OwnedRecord, isControl: Bool) -> JSON {
    guard let key = record.key else { return .null }
    if isControl { return .string(controlType(key)) }
    if topic == .offsets, let found = try? GroupRecordKey.decode(key) { return JSON(reflecting: found) }
    return .string(printable(key))
  }

  func value(of record: OwnedRecord, isControl: Bool) -> JSON {
    guard let value = record.value else { return .null }
    let key = record.key ?? []
    if isControl, let epoch = markerEpoch(key, value) { return .object(["coordinatorEpoch": .number(epoch)]) }
    let decoded: Any?
    if isControl {
      decoded = (try? QuorumRecord.decode(key: key, value: value)).flatMap { $0 }
    } else {
      switch topic {
      case .offsets: decoded = groupValue(value, key: key)
      case .metadata: decoded = (try? MetadataRecord.decodeValue(value)).flatMap { $0 }
      case .other: decoded = nil
      }
    }
    return decoded.map { JSON(reflecting: $0) } ?? .string(printable(value))
  }

  /// The value of a marker is a version and the epoch of the coordinator that ended the transaction.
  private func markerEpoch(_ key: [UInt8], _ value: [UInt8]) -> Int32? {
    guard key.count >= 4, key[2] == 0, key[3] <= 1, value.count >= 6 else { return nil }
    return Int32(bitPattern: value[2..<6].reduce(0) { $0 << 8 | UInt32($1) })
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

  private func groupValue(_ value: [UInt8], key: [UInt8]) -> Any? {
    guard let key = (try? GroupRecordKey.decode(key)).flatMap({ $0 }) else { return nil }
    switch key {
    case .offsetCommit: return try? OffsetCommitValue.decode(value)
    case .groupMetadata: return try? GroupMetadataValue.decode(value)
    case .consumerGroupMetadata: return try? ConsumerGroupMetadataValue.decode(value)
    case .consumerGroupPartitionMetadata: return try? ConsumerGroupPartitionMetadataValue.decode(value)
    case .consumerGroupMemberMetadata: return try? ConsumerGroupMemberMetadataValue.decode(value)
    case .consumerGroupTargetAssignmentMetadata: return try? ConsumerGroupTargetAssignmentMetadataValue.decode(value)
    case .consumerGroupTargetAssignmentMember: return try? ConsumerGroupTargetAssignmentMemberValue.decode(value)
    case .consumerGroupCurrentMemberAssignment: return try? ConsumerGroupCurrentMemberAssignmentValue.decode(value)
    case .consumerGroupRegularExpression: return try? ConsumerGroupRegularExpressionValue.decode(value)
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
