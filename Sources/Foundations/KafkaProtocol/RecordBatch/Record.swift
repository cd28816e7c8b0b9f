public import Vocabulary
import Wire

/// One record where it lies in an uncompressed body: valid as long as those bytes are.
public struct Record {
  public let offset: Offset
  public let offsetDelta: Int32
  public let timestamp: Timestamp
  public let key: UnsafeRawBufferPointer?
  /// Nil is a tombstone.
  public let value: UnsafeRawBufferPointer?
  public let headers: RecordHeaders
}

/// The headers of one record, already known to parse (KIP-82).
public struct RecordHeaders: Sequence {
  public let count: Int
  /// The encoded headers, without their count.
  public let bytes: UnsafeRawBufferPointer

  public struct Header {
    public let key: UnsafeRawBufferPointer
    public let value: UnsafeRawBufferPointer?
  }

  public struct Iterator: IteratorProtocol {
    var reader: ByteReader
    var left: Int
    public mutating func next() -> Header? {
      guard left > 0 else { return nil }
      left -= 1
      do {
        let key = try reader.slice(Int(try reader.varint()))
        let length = Int(try reader.varint())
        return Header(key: key, value: length < 0 ? nil : try reader.slice(length))
      } catch {
        return nil
      }
    }
  }
  public func makeIterator() -> Iterator { Iterator(reader: ByteReader(bytes), left: count) }
}

/// Walks over the records of one uncompressed body, and allocates nothing.
public struct RecordCursor {
  private var reader: ByteReader
  private let base: Offset
  private let baseTimestamp: Int64
  private let appendTime: Timestamp?
  private let lastOffsetDelta: Int32
  /// How many records the header promises.
  public let count: Int
  /// How many have been read.
  public private(set) var index = 0

  /// `body` is what the batch with this header holds, decompressed.
  public init(body: UnsafeRawBufferPointer, header: RecordBatchHeader) {
    reader = ByteReader(body)
    base = header.baseOffset
    baseTimestamp = header.baseTimestamp.milliseconds
    appendTime = header.attributes.timestampType == .logAppendTime ? header.maxTimestamp : nil
    lastOffsetDelta = header.lastOffsetDelta
    count = Int(header.recordsCount)
  }

  /// The next record, or nil after the last. Throws where a length lies, or where the body is longer or
  /// shorter than the header says.
  public mutating func next() throws(RecordBatchError) -> Record? {
    guard index < count else {
      guard reader.remaining == 0, count >= 0 else { throw .wrongCount }
      return nil
    }
    guard reader.remaining > 0 else { throw .wrongCount }
    do {
      let record = try parse()
      index += 1
      return record
    } catch {
      throw .malformedRecord(index)
    }
  }

  private mutating func parse() throws(WireError) -> Record {
    let length = Int(try reader.varint())
    var fields = ByteReader(try reader.slice(length))
    _ = try fields.int8()
    let timestampDelta = try fields.varlong()
    let offsetDelta = try fields.varint()
    guard offsetDelta >= 0, offsetDelta <= lastOffsetDelta else { throw .impossibleLength(Int(offsetDelta)) }
    let keyLength = Int(try fields.varint())
    let key = keyLength < 0 ? nil : try fields.slice(keyLength)
    let valueLength = Int(try fields.varint())
    let value = valueLength < 0 ? nil : try fields.slice(valueLength)
    let headerCount = Int(try fields.varint())
    // A header takes two bytes at least, so that a lying count ends here.
    guard headerCount >= 0, headerCount <= fields.remaining / 2 else { throw .impossibleLength(headerCount) }
    let headersStart = fields
    for _ in 0..<headerCount {
      let headerKey = Int(try fields.varint())
      _ = try fields.advance(headerKey)
      let headerValue = Int(try fields.varint())
      if headerValue >= 0 { _ = try fields.advance(headerValue) }
    }
    guard fields.remaining == 0 else { throw .trailingBytes(fields.remaining) }
    var headerBytes = headersStart
    let headers = RecordHeaders(count: headerCount, bytes: try headerBytes.slice(headersStart.remaining))
    let (time, overflow) = baseTimestamp.addingReportingOverflow(timestampDelta)
    guard !overflow else { throw .invalidValue("timestamp") }
    return Record(
      offset: base + Int64(offsetDelta), offsetDelta: offsetDelta,
      timestamp: appendTime ?? Timestamp(milliseconds: time), key: key, value: value, headers: headers)
  }
}
