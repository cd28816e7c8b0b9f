public import Vocabulary
import Wire

/// Who wrote a batch, and which of its writes this is (KIP-98).
public struct ProducerStamp: Hashable, Sendable {
  public var id: ProducerID
  public var epoch: ProducerEpoch
  /// The sequence of the batch's first record.
  public var baseSequence: Int32
  public init(id: ProducerID, epoch: ProducerEpoch, baseSequence: Int32) {
    self.id = id
    self.epoch = epoch
    self.baseSequence = baseSequence
  }
  /// A producer that is not idempotent.
  public static let none = ProducerStamp(id: .none, epoch: .none, baseSequence: -1)
}

/// Makes one batch (format v2) out of records.
///
/// The records are written as they come. To compress, take `body`, compress it with the codec that
/// `attributes` names, and hand the result to `build(compressedBody:)`.
public struct RecordBatchBuilder {
  public var attributes: RecordBatchAttributes
  public var producer: ProducerStamp
  public var baseOffset: Offset
  public var leaderEpoch: LeaderEpoch
  /// The encoded records, not compressed.
  public private(set) var body: [UInt8] = []
  public private(set) var recordsCount = 0
  /// Set it to keep a range of offsets whose last records are gone, as compaction does.
  public var lastOffsetDelta: Int32 = -1
  public private(set) var baseTimestamp: Timestamp?
  private var largestTimestamp = Timestamp.none

  public init(
    attributes: RecordBatchAttributes = RecordBatchAttributes(), producer: ProducerStamp = .none,
    baseOffset: Offset = .zero, leaderEpoch: LeaderEpoch = .none, baseTimestamp: Timestamp? = nil
  ) {
    self.attributes = attributes
    self.producer = producer
    self.baseOffset = baseOffset
    self.leaderEpoch = leaderEpoch
    self.baseTimestamp = baseTimestamp
  }

  /// The bytes that `build()` would give now.
  public var estimatedBytes: Int { RecordBatchHeader.byteCount + body.count }

  /// Adds a record with the next offset.
  public mutating func append(
    timestamp: Timestamp, key: [UInt8]?, value: [UInt8]?, headers: [(key: String, value: [UInt8]?)] = []
  ) {
    var encoded = ByteWriter(capacity: 64)
    encoded.varint(Int32(clamping: headers.count))
    for header in headers {
      encoded.varint(Int32(clamping: header.key.utf8.count))
      encoded.text(header.key)
      Self.write(header.value, to: &encoded)
    }
    let headerBytes = encoded.finish()
    var fields = ByteWriter(capacity: 32 + (key?.count ?? 0) + (value?.count ?? 0) + headerBytes.count)
    writePrefix(timestamp: timestamp, offsetDelta: lastOffsetDelta + 1, to: &fields)
    Self.write(key, to: &fields)
    Self.write(value, to: &fields)
    fields.raw(headerBytes)
    add(fields.finish(), timestamp: timestamp, offsetDelta: lastOffsetDelta + 1)
  }

  /// Adds a record as it was, with the offset that it had: for compaction and for a change of codec.
  public mutating func append(_ record: Record) {
    var fields = ByteWriter(capacity: 48 + (record.key?.count ?? 0) + (record.value?.count ?? 0))
    let delta = Int32(clamping: record.offset.value - baseOffset.value)
    writePrefix(timestamp: record.timestamp, offsetDelta: delta, to: &fields)
    for part in [record.key, record.value] {
      fields.varint(part.map { Int32(clamping: $0.count) } ?? -1)
      if let part { fields.raw(part) }
    }
    fields.varint(Int32(clamping: record.headers.count))
    fields.raw(record.headers.bytes)
    add(fields.finish(), timestamp: record.timestamp, offsetDelta: delta)
  }

  private mutating func writePrefix(timestamp: Timestamp, offsetDelta: Int32, to fields: inout ByteWriter) {
    let base = baseTimestamp ?? timestamp
    baseTimestamp = base
    fields.int8(0)
    fields.varlong(timestamp.milliseconds &- base.milliseconds)
    fields.varint(offsetDelta)
  }

  private static func write(_ bytes: [UInt8]?, to fields: inout ByteWriter) {
    fields.varint(bytes.map { Int32(clamping: $0.count) } ?? -1)
    if let bytes { fields.raw(bytes) }
  }

  private mutating func add(_ fields: [UInt8], timestamp: Timestamp, offsetDelta: Int32) {
    var length = ByteWriter(capacity: 8)
    length.varint(Int32(clamping: fields.count))
    body.append(contentsOf: length.finish())
    body.append(contentsOf: fields)
    recordsCount += 1
    lastOffsetDelta = max(lastOffsetDelta, offsetDelta)
    largestTimestamp = max(largestTimestamp, timestamp)
  }

  /// The batch with its records uncompressed; `attributes` must not name a codec.
  public func build(maxTimestamp: Timestamp? = nil) -> [UInt8] {
    precondition(attributes.compression == Compression.none, "a codec is named, but the records are plain")
    return assemble(body, maxTimestamp: maxTimestamp)
  }

  /// The batch with `body` as compressed by the caller with the codec that `attributes` names.
  public func build(compressedBody: [UInt8], maxTimestamp: Timestamp? = nil) -> [UInt8] {
    assemble(compressedBody, maxTimestamp: maxTimestamp)
  }

  private func assemble(_ records: [UInt8], maxTimestamp: Timestamp?) -> [UInt8] {
    var batch = ByteWriter(capacity: RecordBatchHeader.byteCount + records.count)
    batch.int64(baseOffset.value)
    batch.int32(Int32(clamping: RecordBatchHeader.byteCount - BatchLayout.overhead + records.count))
    batch.int32(leaderEpoch.value)
    batch.int8(2)
    batch.uint32(0)
    batch.uint16(attributes.bits)
    batch.int32(max(lastOffsetDelta, 0))
    batch.int64((baseTimestamp ?? .none).milliseconds)
    batch.int64((maxTimestamp ?? largestTimestamp).milliseconds)
    batch.int64(producer.id.value)
    batch.int16(producer.epoch.value)
    batch.int32(producer.baseSequence)
    batch.int32(Int32(clamping: recordsCount))
    batch.raw(records)
    var bytes = batch.finish()
    bytes.withUnsafeMutableBytes { RecordBatchEdit.updateChecksum(of: $0) }
    return bytes
  }

  /// A batch with another's header but this body, which holds the same records in another codec.
  public static func batch(
    like header: RecordBatchHeader, compression: Compression, body: UnsafeRawBufferPointer
  ) -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: header.attributes, producer: header.producer, baseOffset: header.baseOffset,
      leaderEpoch: header.partitionLeaderEpoch, baseTimestamp: header.baseTimestamp)
    builder.attributes.bits = header.attributes.bits & ~RecordBatchAttributes.codecMask | UInt16(compression.rawValue)
    builder.lastOffsetDelta = header.lastOffsetDelta
    builder.recordsCount = Int(header.recordsCount)
    return builder.assemble([UInt8](body), maxTimestamp: header.maxTimestamp)
  }
}

extension RecordBatchHeader {
  public var producer: ProducerStamp {
    ProducerStamp(id: producerID, epoch: producerEpoch, baseSequence: baseSequence)
  }
}
