import CChecksum
public import Vocabulary

/// Why bytes are not the record batch that they claim to be.
public enum RecordBatchError: Error, Hashable, Sendable {
  /// The bytes end before the batch does.
  case truncated
  /// A length that is too small for a batch, or does not match the bytes.
  case impossibleLength(Int)
  /// Only format v2 is spoken (KIP-98); 0 and 1 left Kafka with version 4.
  case unsupportedMagic(Int8)
  /// Offsets that are negative, run backwards or leave 64 bits.
  case impossibleOffsets
  /// The CRC-32C does not match the bytes.
  case wrongChecksum
  /// A codec number that does not exist.
  case unknownCompression(UInt8)
  /// The record with this index (from 0) does not parse.
  case malformedRecord(Int)
  /// The body holds more or fewer records than the header says.
  case wrongCount
}

/// What a batch's timestamps mean: bit 3 of its attributes.
public enum TimestampType: Hashable, Sendable {
  case createTime
  case logAppendTime
}

/// The 16 attribute bits of a batch.
@frozen public struct RecordBatchAttributes: Hashable, Sendable {
  public var bits: UInt16
  @inlinable public init(bits: UInt16) { self.bits = bits }

  public static let codecMask: UInt16 = 0x07
  public static let logAppendTimeBit: UInt16 = 0x08
  public static let transactionalBit: UInt16 = 0x10
  public static let controlBit: UInt16 = 0x20
  public static let deleteHorizonBit: UInt16 = 0x40

  @inlinable public var codecNumber: UInt8 { UInt8(bits & Self.codecMask) }
  /// Nil for the numbers 5 to 7, which name no codec.
  @inlinable public var compression: Compression? { Compression(rawValue: codecNumber) }
  @inlinable public var timestampType: TimestampType {
    bits & Self.logAppendTimeBit == 0 ? .createTime : .logAppendTime
  }
  @inlinable public var isTransactional: Bool { bits & Self.transactionalBit != 0 }
  @inlinable public var isControl: Bool { bits & Self.controlBit != 0 }
  /// The base timestamp is the time after which tombstones of this batch may go (KIP-534).
  @inlinable public var hasDeleteHorizon: Bool { bits & Self.deleteHorizonBit != 0 }

  public init(
    compression: Compression = .none, timestampType: TimestampType = .createTime, isTransactional: Bool = false,
    isControl: Bool = false, hasDeleteHorizon: Bool = false
  ) {
    bits = UInt16(compression.rawValue)
    if timestampType == .logAppendTime { bits |= Self.logAppendTimeBit }
    if isTransactional { bits |= Self.transactionalBit }
    if isControl { bits |= Self.controlBit }
    if hasDeleteHorizon { bits |= Self.deleteHorizonBit }
  }
}

/// Where the fields of a v2 batch lie. Base offset, length and leader epoch are outside of the CRC,
/// so that a broker can set them without touching the rest.
@usableFromInline enum BatchLayout {
  static let baseOffset = 0
  static let batchLength = 8
  static let leaderEpoch = 12
  static let magic = 16
  static let crc = 17
  static let attributes = 21
  static let lastOffsetDelta = 23
  static let baseTimestamp = 27
  static let maxTimestamp = 35
  static let producerID = 43
  static let producerEpoch = 51
  static let baseSequence = 53
  static let recordsCount = 57
  static let records = 61
  /// The base offset and the length themselves, which the length does not count.
  static let overhead = 12
}

/// The 61 bytes in front of a batch's records (format v2, KIP-98).
///
/// A header that exists is sane: magic 2, a length that holds a header, and offsets that fit in 64 bits.
/// Whether its CRC is right is for `RecordBatch.isChecksumValid` to say.
public struct RecordBatchHeader: Hashable, Sendable {
  public static let byteCount = 61
  /// The first bytes of a header that tell how long the batch is, and which format it has.
  public static let prefixByteCount = 17

  public let baseOffset: Offset
  /// Bytes after the length field itself.
  public let batchLength: Int32
  public let partitionLeaderEpoch: LeaderEpoch
  public let crc: UInt32
  public let attributes: RecordBatchAttributes
  public let lastOffsetDelta: Int32
  public let baseTimestamp: Timestamp
  public let maxTimestamp: Timestamp
  public let producerID: ProducerID
  public let producerEpoch: ProducerEpoch
  public let baseSequence: Int32
  public let recordsCount: Int32

  /// The whole batch, its header included.
  @inlinable public var totalBytes: Int { Int(batchLength) + 12 }
  @inlinable public var lastOffset: Offset { Offset(baseOffset.value &+ Int64(lastOffsetDelta)) }
  @inlinable public var nextOffset: Offset { Offset(baseOffset.value &+ Int64(lastOffsetDelta) &+ 1) }
  @inlinable public var isIdempotent: Bool { producerID.value >= 0 }
  public var stamp: ProducerStamp {
    ProducerStamp(id: producerID, epoch: producerEpoch, baseSequence: baseSequence)
  }
  /// The sequence of the last record; wraps from 2³¹−1 to 0.
  @inlinable public var lastSequence: Int32 {
    baseSequence < 0 ? baseSequence : Int32((Int64(baseSequence) + Int64(lastOffsetDelta)) & 0x7fff_ffff)
  }

  /// Reads the header at the start of `bytes`; what follows it may be missing.
  public init(_ bytes: UnsafeRawBufferPointer) throws(RecordBatchError) {
    guard bytes.count >= Self.prefixByteCount else { throw .truncated }
    let magic = bytes.load(fromByteOffset: BatchLayout.magic, as: Int8.self)
    guard magic == 2 else { throw .unsupportedMagic(magic) }
    guard bytes.count >= Self.byteCount else { throw .truncated }
    func field<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
      T(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    batchLength = field(BatchLayout.batchLength, Int32.self)
    guard batchLength >= Int32(Self.byteCount - BatchLayout.overhead), batchLength <= Int32.max - 12 else {
      throw .impossibleLength(Int(batchLength))
    }
    baseOffset = Offset(field(BatchLayout.baseOffset, Int64.self))
    lastOffsetDelta = field(BatchLayout.lastOffsetDelta, Int32.self)
    guard baseOffset.value >= 0, lastOffsetDelta >= 0, baseOffset.value < Int64.max - Int64(Int32.max) - 1 else {
      throw .impossibleOffsets
    }
    partitionLeaderEpoch = LeaderEpoch(field(BatchLayout.leaderEpoch, Int32.self))
    crc = field(BatchLayout.crc, UInt32.self)
    attributes = RecordBatchAttributes(bits: field(BatchLayout.attributes, UInt16.self))
    baseTimestamp = Timestamp(milliseconds: field(BatchLayout.baseTimestamp, Int64.self))
    maxTimestamp = Timestamp(milliseconds: field(BatchLayout.maxTimestamp, Int64.self))
    producerID = ProducerID(field(BatchLayout.producerID, Int64.self))
    producerEpoch = ProducerEpoch(field(BatchLayout.producerEpoch, Int16.self))
    baseSequence = field(BatchLayout.baseSequence, Int32.self)
    recordsCount = field(BatchLayout.recordsCount, Int32.self)
  }
}

/// The CRC-32C that record batches and producer snapshots carry.
public enum Checksum {
  public static func crc32c(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return crc }
    return swiftwater_crc32c(crc, start, bytes.count)
  }
}
