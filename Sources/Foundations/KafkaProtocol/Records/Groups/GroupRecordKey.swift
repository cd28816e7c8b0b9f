public import Wire

/// What a record of `__consumer_offsets` is about. Later records with the same key replace earlier ones,
/// and a record without a value deletes.
///
/// A key is its type and its fields; types 0 and 1 both are offsets.
public enum GroupRecordKey: Sendable, Hashable {
  /// `OffsetCommitValue`
  case offsetCommit(group: String, topic: String, partition: Int32)
  /// `GroupMetadataValue`
  case groupMetadata(group: String)
  /// `ConsumerGroupMetadataValue`
  case consumerGroupMetadata(group: String)
  /// `ConsumerGroupPartitionMetadataValue`
  case consumerGroupPartitionMetadata(group: String)
  /// `ConsumerGroupMemberMetadataValue`
  case consumerGroupMemberMetadata(group: String, member: String)
  /// `ConsumerGroupTargetAssignmentMetadataValue`
  case consumerGroupTargetAssignmentMetadata(group: String)
  /// `ConsumerGroupTargetAssignmentMemberValue`
  case consumerGroupTargetAssignmentMember(group: String, member: String)
  /// `ConsumerGroupCurrentMemberAssignmentValue`
  case consumerGroupCurrentMemberAssignment(group: String, member: String)
  /// `ConsumerGroupRegularExpressionValue`
  case consumerGroupRegularExpression(group: String, regularExpression: String)

  /// Nil for a type that this release does not know, such as those of share and streams groups.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> GroupRecordKey? {
    var reader = ByteReader(bytes)
    let type = try reader.int16()
    guard Fields.types.contains(type) else { return nil }
    let fields = try Fields.decoded(
      UnsafeRawBufferPointer(rebasing: bytes[reader.position...]), version: type, flexibleSince: .max)
    switch type {
    case 2: return .groupMetadata(group: fields.group)
    case 3: return .consumerGroupMetadata(group: fields.group)
    case 4: return .consumerGroupPartitionMetadata(group: fields.group)
    case 5: return .consumerGroupMemberMetadata(group: fields.group, member: fields.detail)
    case 6: return .consumerGroupTargetAssignmentMetadata(group: fields.group)
    case 7: return .consumerGroupTargetAssignmentMember(group: fields.group, member: fields.detail)
    case 8: return .consumerGroupCurrentMemberAssignment(group: fields.group, member: fields.detail)
    case 16: return .consumerGroupRegularExpression(group: fields.group, regularExpression: fields.detail)
    default: return .offsetCommit(group: fields.group, topic: fields.detail, partition: fields.partition)
    }
  }

  public func encode() -> [UInt8] {
    let (type, fields) = typeAndFields
    var encoder = Encoder(version: type, flexibleSince: .max, capacity: 64)
    encoder.header { (writer: inout ByteWriter) in writer.int16(type) }
    encoder.message(fields)
    return encoder.finish().bytes
  }

  private var typeAndFields: (Int16, Fields) {
    switch self {
    case .offsetCommit(let group, let topic, let partition): (1, Fields(group, topic, partition))
    case .groupMetadata(let group): (2, Fields(group))
    case .consumerGroupMetadata(let group): (3, Fields(group))
    case .consumerGroupPartitionMetadata(let group): (4, Fields(group))
    case .consumerGroupMemberMetadata(let group, let member): (5, Fields(group, member))
    case .consumerGroupTargetAssignmentMetadata(let group): (6, Fields(group))
    case .consumerGroupTargetAssignmentMember(let group, let member): (7, Fields(group, member))
    case .consumerGroupCurrentMemberAssignment(let group, let member): (8, Fields(group, member))
    case .consumerGroupRegularExpression(let group, let expression): (16, Fields(group, expression))
    }
  }

  /// The fields of all types: the type takes the place of a version.
  private struct Fields: WireStruct {
    static let types: Set<Int16> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16]

    var group = ""
    /// A topic, a member or a regular expression.
    var detail = ""
    var partition: Int32 = 0

    init() {}
    init(_ group: String, _ detail: String = "", _ partition: Int32 = 0) {
      self.group = group
      self.detail = detail
      self.partition = partition
    }

    mutating func code<C: WireCoder>(_ c: inout C) throws(WireError) {
      try c.string(&group)
      switch c.version {
      case 0, 1:
        try c.string(&detail)
        try c.int32(&partition)
      case 5, 7, 8, 16: try c.string(&detail)
      default: break
      }
    }
  }
}
