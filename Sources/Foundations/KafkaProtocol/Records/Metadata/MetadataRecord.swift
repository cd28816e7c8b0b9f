public import Wire

/// The fields of one type of metadata record. All of them are flexible (KIP-482) in every version.
public protocol MetadataRecordBody: WireStruct {
  static var type: UInt32 { get }
  static var versions: ClosedRange<Int16> { get }
}

/// What happened to the cluster: the value of one record of `__cluster_metadata`, in Kafka's own format (KIP-631).
///
/// A value is three varints, the version of this frame, the type and the version of the record, and then its fields.
public enum MetadataRecord: Sendable, Equatable {
  case registerBroker(RegisterBrokerRecord)
  case unregisterBroker(UnregisterBrokerRecord)
  case topic(TopicRecord)
  case partition(PartitionRecord)
  case config(ConfigRecord)
  case partitionChange(PartitionChangeRecord)
  case removeTopic(RemoveTopicRecord)
  case featureLevel(FeatureLevelRecord)
  case clientQuota(ClientQuotaRecord)
  case producerIDs(ProducerIDsRecord)
  case brokerRegistrationChange(BrokerRegistrationChangeRecord)
  case accessControlEntry(AccessControlEntryRecord)
  case removeAccessControlEntry(RemoveAccessControlEntryRecord)
  case noOp(NoOpRecord)
  case userScramCredential(UserScramCredentialRecord)
  case removeUserScramCredential(RemoveUserScramCredentialRecord)
  case beginTransaction(BeginTransactionRecord)
  case endTransaction(EndTransactionRecord)
  case abortTransaction(AbortTransactionRecord)
  case registerController(RegisterControllerRecord)

  static let frameVersion: UInt32 = 1
}

extension MetadataRecord {
  /// The record's value. Without a version the highest is written; fields that a lower one does not have
  /// are left out. The version must be one of the record's `versions`.
  public func encodeValue(version: Int16? = nil) -> [UInt8] {
    switch self {
    case .registerBroker(let record): record.framed(version)
    case .unregisterBroker(let record): record.framed(version)
    case .topic(let record): record.framed(version)
    case .partition(let record): record.framed(version)
    case .config(let record): record.framed(version)
    case .partitionChange(let record): record.framed(version)
    case .removeTopic(let record): record.framed(version)
    case .featureLevel(let record): record.framed(version)
    case .clientQuota(let record): record.framed(version)
    case .producerIDs(let record): record.framed(version)
    case .brokerRegistrationChange(let record): record.framed(version)
    case .accessControlEntry(let record): record.framed(version)
    case .removeAccessControlEntry(let record): record.framed(version)
    case .noOp(let record): record.framed(version)
    case .userScramCredential(let record): record.framed(version)
    case .removeUserScramCredential(let record): record.framed(version)
    case .beginTransaction(let record): record.framed(version)
    case .endTransaction(let record): record.framed(version)
    case .abortTransaction(let record): record.framed(version)
    case .registerController(let record): record.framed(version)
    }
  }

  /// Reads a record's value. Nil for a type, or a version of a type, that this release does not know: a node
  /// that meets one in the log must not act as if it were not there, and says which it was with `peek`.
  public static func decodeValue(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> MetadataRecord? {
    let opening = try peek(bytes)
    switch opening.type {
    case RegisterBrokerRecord.type: return try opening.body(bytes).map(MetadataRecord.registerBroker)
    case UnregisterBrokerRecord.type: return try opening.body(bytes).map(MetadataRecord.unregisterBroker)
    case TopicRecord.type: return try opening.body(bytes).map(MetadataRecord.topic)
    case PartitionRecord.type: return try opening.body(bytes).map(MetadataRecord.partition)
    case ConfigRecord.type: return try opening.body(bytes).map(MetadataRecord.config)
    case PartitionChangeRecord.type: return try opening.body(bytes).map(MetadataRecord.partitionChange)
    case RemoveTopicRecord.type: return try opening.body(bytes).map(MetadataRecord.removeTopic)
    case FeatureLevelRecord.type: return try opening.body(bytes).map(MetadataRecord.featureLevel)
    case ClientQuotaRecord.type: return try opening.body(bytes).map(MetadataRecord.clientQuota)
    case ProducerIDsRecord.type: return try opening.body(bytes).map(MetadataRecord.producerIDs)
    case BrokerRegistrationChangeRecord.type:
      return try opening.body(bytes).map(MetadataRecord.brokerRegistrationChange)
    case AccessControlEntryRecord.type: return try opening.body(bytes).map(MetadataRecord.accessControlEntry)
    case RemoveAccessControlEntryRecord.type:
      return try opening.body(bytes).map(MetadataRecord.removeAccessControlEntry)
    case NoOpRecord.type: return try opening.body(bytes).map(MetadataRecord.noOp)
    case UserScramCredentialRecord.type: return try opening.body(bytes).map(MetadataRecord.userScramCredential)
    case RemoveUserScramCredentialRecord.type:
      return try opening.body(bytes).map(MetadataRecord.removeUserScramCredential)
    case BeginTransactionRecord.type: return try opening.body(bytes).map(MetadataRecord.beginTransaction)
    case EndTransactionRecord.type: return try opening.body(bytes).map(MetadataRecord.endTransaction)
    case AbortTransactionRecord.type: return try opening.body(bytes).map(MetadataRecord.abortTransaction)
    case RegisterControllerRecord.type: return try opening.body(bytes).map(MetadataRecord.registerController)
    default: return nil
    }
  }

  /// What every metadata record begins with.
  public struct Opening: Sendable, Hashable {
    public let type: UInt32
    public let version: UInt32
    let bodyStart: Int
  }

  /// Type and version of a record's value, whether they are known or not.
  public static func peek(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Opening {
    var reader = ByteReader(bytes)
    guard try reader.unsignedVarint() == frameVersion else { throw .invalidValue("metadata frame version") }
    let type = try reader.unsignedVarint()
    let version = try reader.unsignedVarint()
    return Opening(type: type, version: version, bodyStart: reader.position)
  }
}

extension MetadataRecord.Opening {
  fileprivate func body<Body: MetadataRecordBody>(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Body? {
    guard let version = Int16(exactly: version), Body.versions.contains(version) else { return nil }
    return try Body.decoded(
      UnsafeRawBufferPointer(rebasing: bytes[bodyStart...]), version: version, flexibleSince: 0)
  }
}

extension MetadataRecordBody {
  fileprivate func framed(_ version: Int16?) -> [UInt8] {
    let version = version ?? Self.versions.upperBound
    precondition(Self.versions.contains(version), "a version that the record does not have")
    var encoder = Encoder(version: version, flexibleSince: 0, capacity: 64)
    encoder.header { (writer: inout ByteWriter) in
      writer.unsignedVarint(MetadataRecord.frameVersion)
      writer.unsignedVarint(Self.type)
      writer.unsignedVarint(UInt32(version))
    }
    encoder.message(self)
    return encoder.finish().bytes
  }
}
