import KafkaProtocol
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

/// Batches and logs for tests.
enum Make {
  static let partition = TopicPartition(TopicName("orders")!, PartitionIndex(0))
  static let topicID = UniqueID(high: 7, low: 9)

  static func batch(
    _ values: [String], keys: [String?]? = nil, at time: Int64 = 1000, producer: ProducerStamp = .none,
    attributes: RecordBatchAttributes = RecordBatchAttributes(), base: Int64 = 0, epoch: Int32 = -1
  ) -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: attributes, producer: producer, baseOffset: Offset(base), leaderEpoch: LeaderEpoch(epoch))
    for (place, value) in values.enumerated() {
      let key = keys.map { $0[place] } ?? "k"
      builder.append(
        timestamp: Timestamp(milliseconds: time + Int64(place)), key: key.map { Array($0.utf8) },
        value: value.isEmpty ? nil : Array(value.utf8))
    }
    return builder.build()
  }

  static func log(
    _ disk: any Disk, _ settings: LogSettings = LogSettings(), recovery: RecoveryStart = .clean,
    directory: String = "data/orders-0", files: OpenFiles = OpenFiles(limit: 64), now: Int64 = 1000
  ) throws(StorageError) -> PartitionLog {
    try disk.createDirectory("data")
    return try PartitionLog.open(
      disk: disk, openFiles: files, directory: directory, topicPartition: partition, topicID: topicID,
      settings: settings, recovery: recovery, now: Timestamp(milliseconds: now))
  }
}

/// What a log must never show.
struct Surprise: Error {
  let what: String
  init(_ what: String) { self.what = what }
}

extension PartitionLog {
  @discardableResult
  func put(
    _ bytes: [UInt8], _ origin: AppendOrigin = .client, epoch: Int32 = 1, now: Int64 = 2000
  ) throws -> Appended {
    try tryPut(bytes, origin, epoch: epoch, now: now).get()
  }

  func tryPut(
    _ bytes: [UInt8], _ origin: AppendOrigin = .client, epoch: Int32 = 1, verified: VerificationTicket? = nil,
    now: Int64 = 2000
  ) throws(StorageError) -> Result<Appended, AppendRefusal> {
    var bytes = bytes
    let result = bytes.withUnsafeMutableBytes { raw in
      Result<Result<Appended, AppendRefusal>, StorageError> { () throws(StorageError) in
        try append(
          raw, origin: origin, leaderEpoch: LeaderEpoch(epoch), verified: verified, now: Timestamp(milliseconds: now))
      }
    }
    return try result.get()
  }

  /// All that is in the log from `offset` on, batch by batch as bytes, read through slices of `maxBytes`.
  func everything(from offset: Offset? = nil, maxBytes: Int = 700) throws -> [[UInt8]] {
    var batches: [[UInt8]] = []
    var at = offset ?? startOffset
    while case .slice(let slice) = try read(from: at, maxBytes: maxBytes, upTo: endOffset, minimum: .oneBatch) {
      let bytes = try slice.bytes()
      guard bytes.count == slice.count else { throw Surprise("a slice beyond the file's end") }
      try bytes.withUnsafeBytes { raw in
        var cursor = RecordBatchCursor(raw)
        while let batch = try cursor.next() {
          guard batch.isChecksumValid else { throw Surprise("a corrupt batch at \(batch.header.baseOffset.value)") }
          guard batch.header.nextOffset > at else { throw Surprise("a read that does not move on") }
          at = batch.header.nextOffset
          batches.append([UInt8](batch.bytes))
        }
        guard cursor.position == raw.count else { throw Surprise("a batch that is cut off") }
      }
    }
    return batches
  }

  func values() throws -> [String] { try everything().flatMap { try recordValues($0) } }

  func keyValues() throws -> [(offset: Int64, key: String, value: String?)] {
    try everything().flatMap { bytes in
      try bytes.withUnsafeBytes { raw in
        let batch = try RecordBatch(raw)
        let body = try DecodedBody(batch, limit: .mebibytes(1))
        return body.withRecords(of: batch.header) { records in
          var found: [(Int64, String, String?)] = []
          while let record = try? records.next() {
            found.append(
              (
                record.offset.value, String(decoding: record.key ?? .init(start: nil, count: 0), as: UTF8.self),
                record.value.map { String(decoding: $0, as: UTF8.self) }
              ))
          }
          return found
        }
      }
    }
  }
}

func recordValues(_ bytes: [UInt8]) throws -> [String] {
  try bytes.withUnsafeBytes { raw in
    var values: [String] = []
    var records = try RecordBatch(raw).records
    while let record = try records.next() {
      values.append(String(decoding: record.value ?? .init(start: nil, count: 0), as: UTF8.self))
    }
    return values
  }
}
