public import Vocabulary
import Wire

/// A record with bytes of its own, for callers that keep it longer than the buffer it was read from.
public struct OwnedRecord: Sendable, Hashable {
  public struct Header: Sendable, Hashable {
    public var key: String
    public var value: [UInt8]?
    public init(key: String, value: [UInt8]?) {
      self.key = key
      self.value = value
    }
  }
  public var offset: Offset
  public var timestamp: Timestamp
  public var key: [UInt8]?
  /// Nil is a tombstone.
  public var value: [UInt8]?
  public var headers: [Header]

  public init(
    offset: Offset = .none, timestamp: Timestamp, key: [UInt8]? = nil, value: [UInt8]?, headers: [Header] = []
  ) {
    self.offset = offset
    self.timestamp = timestamp
    self.key = key
    self.value = value
    self.headers = headers
  }

  /// Copies a record out of its batch.
  public init(_ record: Record) {
    offset = record.offset
    timestamp = record.timestamp
    key = record.key.map { [UInt8]($0) }
    value = record.value.map { [UInt8]($0) }
    headers = record.headers.map {
      Header(key: String(decoding: $0.key, as: UTF8.self), value: $0.value.map { [UInt8]($0) })
    }
  }
}

// The same decoders over arrays, for callers that keep away from unsafe memory.

extension RecordBatchHeader {
  /// Reads the header at the start of `bytes`; what follows it may be missing.
  public init(_ bytes: [UInt8]) throws(RecordBatchError) {
    var found: Result<RecordBatchHeader, RecordBatchError> = .failure(.truncated)
    bytes.withUnsafeBytes { raw in
      do throws(RecordBatchError) { found = .success(try RecordBatchHeader(raw)) } catch { found = .failure(error) }
    }
    self = try found.get()
  }

  /// Whether `batch`, which begins with this header, is whole and has the CRC that the header says.
  public func matchesChecksum(of batch: [UInt8]) -> Bool {
    batch.withUnsafeBytes { raw in (try? RecordBatch(raw))?.isChecksumValid ?? false }
  }

  /// The records of a body, which was decompressed if it was compressed.
  public func records(in body: [UInt8]) throws(RecordBatchError) -> [OwnedRecord] {
    var found: Result<[OwnedRecord], RecordBatchError> = .success([])
    body.withUnsafeBytes { raw in
      var cursor = RecordCursor(body: raw, header: self)
      var records: [OwnedRecord] = []
      do throws(RecordBatchError) {
        while let record = try cursor.next() { records.append(OwnedRecord(record)) }
        found = .success(records)
      } catch {
        found = .failure(error)
      }
    }
    return try found.get()
  }
}
