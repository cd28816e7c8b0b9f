import KafkaProtocol
import RecordCompression
import Vocabulary

/// The records of a batch, decompressed where need be, within a limit.
struct DecodedBody {
  /// What a search by time may decompress of one batch.
  static let searchBytesMax = ByteCount.mebibytes(64)
  /// A compressed batch that becomes larger is stored unseen, where nothing depends on its records.
  static let lookBytesMax = ByteCount.mebibytes(16)
  /// A client's compressed batch may become this many times `max.message.bytes`, and 64 KiB at least: real
  /// data rarely compresses better, and a bomb ends here.
  static let clientFactor = 64

  static func clientLimit(batchBytesMax: ByteCount) -> ByteCount {
    ByteCount(max(64 << 10, min(batchBytesMax.value, Int(Int32.max) / clientFactor) * clientFactor))
  }

  private let batch: RecordBatch
  private let decoded: [UInt8]?

  init(_ batch: RecordBatch, limit: ByteCount) throws(CompressionError) {
    self.batch = batch
    guard let codec = batch.header.attributes.compression, codec != .none else {
      decoded = nil
      return
    }
    decoded = try RecordCodec.decompress(batch.body, with: codec, limit: limit)
  }

  func withBytes<T>(_ use: (UnsafeRawBufferPointer) -> T) -> T {
    decoded.map { $0.withUnsafeBytes(use) } ?? use(batch.body)
  }

  func withRecords<T>(of header: RecordBatchHeader, _ use: (inout RecordCursor) -> T) -> T {
    withBytes { bytes in
      var cursor = RecordCursor(body: bytes, header: header)
      return use(&cursor)
    }
  }
}
