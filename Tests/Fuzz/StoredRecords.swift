import KafkaProtocol
import Wire

/// Reads the input as every kind of record that brokers keep: what can be read must be written as it reads.
@_cdecl("LLVMFuzzerTestOneInput")
public func readRecords(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  guard let first = bytes.first else { return 0 }
  let rest = UnsafeRawBufferPointer(rebasing: bytes[1...])
  do { try readOne(first & 15, rest) } catch {}
  return 0
}

func readOne(_ kind: UInt8, _ bytes: UnsafeRawBufferPointer) throws(WireError) {
  switch kind {
  case 0: try again(OffsetCommitValue.self, bytes)
  case 1: try again(GroupMetadataValue.self, bytes)
  case 2: try again(ConsumerGroupMetadataValue.self, bytes)
  case 3: try again(ConsumerGroupPartitionMetadataValue.self, bytes)
  case 4: try again(ConsumerGroupMemberMetadataValue.self, bytes)
  case 5: try again(ConsumerGroupTargetAssignmentMemberValue.self, bytes)
  case 6: try again(ConsumerGroupCurrentMemberAssignmentValue.self, bytes)
  case 7: _ = try ConsumerProtocolSubscription.decode(bytes)
  case 8: _ = try ConsumerProtocolAssignment.decode(bytes)
  case 9: try again(TransactionLogValue.self, bytes)
  case 10:
    guard let key = try GroupRecordKey.decode(bytes) else { return }
    let read = try GroupRecordKey.decode(key.encode())
    precondition(read == key)
  case 11:
    _ = try QuorumRecord.decode(key: UnsafeRawBufferPointer(rebasing: bytes.prefix(4)), value: bytes)
  default:
    guard let record = try MetadataRecord.decodeValue(bytes) else { return }
    let version = Int16(truncatingIfNeeded: try MetadataRecord.peek(bytes).version)
    let read = try MetadataRecord.decodeValue(record.encodeValue(version: version))
    // A quota may be a number that is not equal to itself.
    if case .clientQuota = record { return }
    precondition(read == record)
  }
}

func again<Record: VersionedRecord>(_: Record.Type, _ bytes: UnsafeRawBufferPointer) throws(WireError) {
  let record = try Record.decode(bytes)
  var reader = ByteReader(bytes)
  let version = try reader.int16()
  let read = try Record.decode(record.encode(version: version))
  precondition(read == record)
}
