import KafkaProtocol
import Vocabulary
import Wire

/// The `.snapshot` file: producer states as of the offset in its name. Kafka's format, version 1:
/// int16 version, uint32 CRC-32C of what follows, then an array of producers.
enum ProducerSnapshot {
  static let version: Int16 = 1
  private static let entriesStart = 6
  private static let entryBytes = 42
  /// A file larger than this is not ours.
  static let bytesMax = 64 + ProducerStates.producersMax * entryBytes

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
}
