import KafkaProtocol
import Vocabulary
import Wire

/// The `.snapshot` file: producer states as of the offset in its name. Kafka's format, version 1:
/// int16 version, uint32 CRC-32C of what follows, then an array of producers, each with its last batch.
///
/// Behind it stand the batches before the last one, of producers that have any: how many producers, then of each its id, how
/// many batches, and these, oldest first. Without them a leader that was stopped and started would not know what a
/// producer sends again that had several batches on their way, and call it out of order. Kafka ignores what stands there,
/// and writes nothing.
enum ProducerSnapshot {
  static let version: Int16 = 1
  private static let entriesStart = 6
  private static let entryBytes = 46
  /// Of a producer that has earlier batches.
  private static let earlierHeadBytes = 12
  private static let earlierBytes = 24
  /// A file larger than this is not ours.
  static let bytesMax =
    64 + ProducerStates.producersMax
    * (entryBytes + earlierHeadBytes + (ProducerStates.batchesMax - 1) * earlierBytes)

  static func encode(_ states: ProducerStates) -> [UInt8] {
    var writer = ByteWriter(capacity: 10 + states.entries.count * entryBytes)
    writer.int16(version)
    writer.uint32(0)
    writer.int32(Int32(clamping: states.entries.count))
    for (id, entry) in states.entries.sorted(by: { $0.key < $1.key }) {
      let last = entry.batches.last
      writer.int64(id)
      writer.int16(entry.epoch)
      writer.int32(last?.lastSequence ?? -1)
      writer.int64(last?.lastOffset ?? -1)
      writer.int32(last?.offsetDelta ?? 0)
      writer.int64(entry.lastTimestamp)
      writer.int32(entry.coordinatorEpoch)
      writer.int64(entry.transactionStart)
    }
    writeEarlier(states, to: &writer)
    let crc = writer.bytes.withUnsafeBytes { Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[entriesStart...])) }
    writer.patch(uint32: crc, at: 2)
    return writer.finish()
  }

  /// Nil where the file is not a whole snapshot: the states are then rebuilt from the log.
  static func decode(_ bytes: [UInt8]) -> ProducerStates? {
    bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      do {
        guard try reader.int16() == version else { return nil }
        let crc = try reader.uint32()
        guard crc == Checksum.crc32c(UnsafeRawBufferPointer(rebasing: raw[entriesStart...])) else { return nil }
        let count = Int(try reader.int32())
        guard count >= 0, count <= reader.remaining / entryBytes else { return nil }
        var states = ProducerStates()
        for _ in 0..<count { try readEntry(&reader, into: &states) }
        if reader.remaining > 0 { try readEarlier(&reader, into: &states) }
        return reader.remaining == 0 ? states : nil
      } catch {
        return nil
      }
    }
  }

  private static func readEntry(_ reader: inout ByteReader, into states: inout ProducerStates) throws(WireError) {
    let id = try reader.int64()
    let epoch = try reader.int16()
    let lastSequence = try reader.int32()
    let lastOffset = try reader.int64()
    let offsetDelta = try reader.int32()
    let timestamp = try reader.int64()
    let coordinatorEpoch = try reader.int32()
    let transactionStart = try reader.int64()
    guard offsetDelta >= 0, lastOffset >= -1, lastSequence >= -1 else { throw .invalidValue("producer entry") }
    var entry = ProducerStates.Entry(
      epoch: epoch, coordinatorEpoch: coordinatorEpoch, transactionStart: transactionStart, lastTimestamp: timestamp)
    if lastOffset >= 0, lastSequence >= 0 {
      entry.batches = [
        .init(lastSequence: lastSequence, lastOffset: lastOffset, offsetDelta: offsetDelta, timestamp: timestamp)
      ]
    }
    states.restore(id, entry)
  }

  // MARK: Behind what Kafka has

  private static func writeEarlier(_ states: ProducerStates, to writer: inout ByteWriter) {
    let entries = states.entries.filter { $0.value.batches.count > 1 }.sorted { $0.key < $1.key }
    guard !entries.isEmpty else { return }
    writer.int32(Int32(clamping: entries.count))
    for (id, entry) in entries {
      writer.int64(id)
      writer.int32(Int32(clamping: entry.batches.count - 1))
      for batch in entry.batches.dropLast() {
        writer.int32(batch.lastSequence)
        writer.int64(batch.lastOffset)
        writer.int32(batch.offsetDelta)
        writer.int64(batch.timestamp)
      }
    }
  }

  private static func readEarlier(
    _ reader: inout ByteReader, into states: inout ProducerStates
  ) throws(WireError) {
    let producers = Int(try reader.int32())
    guard producers >= 0, producers <= reader.remaining / (earlierHeadBytes + earlierBytes) else {
      throw .invalidValue("earlier batches")
    }
    for _ in 0..<producers {
      let id = try reader.int64()
      let count = Int(try reader.int32())
      guard (1..<ProducerStates.batchesMax).contains(count) else { throw .invalidValue("earlier batches") }
      var batches: [ProducerStates.Batch] = []
      for _ in 0..<count {
        let lastSequence = try reader.int32()
        let lastOffset = try reader.int64()
        let offsetDelta = try reader.int32()
        let timestamp = try reader.int64()
        guard lastSequence >= 0, lastOffset >= 0, offsetDelta >= 0 else { throw .invalidValue("an earlier batch") }
        batches.append(
          .init(lastSequence: lastSequence, lastOffset: lastOffset, offsetDelta: offsetDelta, timestamp: timestamp))
      }
      guard states.restore(id, earlier: batches) else { throw .invalidValue("batches of an unknown producer") }
    }
  }
}
