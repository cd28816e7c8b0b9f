import KafkaProtocol
import RecordCompression
import Vocabulary

/// A batch that says it is larger is taken for garbage, and one whose records are more, decompressed, is not read.
private let batchBytesMax = ByteCount.mebibytes(256)

/// Writes the batches of a segment and returns how many faults there are. Where no batch can be recognised the rest of
/// the file is given up, since nothing says where the next one begins.
func dumpBatches(_ file: borrowing InputFile, _ detail: DumpDetail, to writer: inout DumpWriter) throws -> Int {
  var position: Int64 = 0
  var faults = 0
  var progress = Progress(writer.console)
  let decoder = ValueDecoder(path: file.path)
  defer { progress.end() }
  while position < file.size {
    progress.show("\(position >> 20) of \(file.size >> 20) MiB")
    let start = try file.bytes(at: position, count: RecordBatchHeader.byteCount)
    let header: RecordBatchHeader
    do throws(RecordBatchError) {
      header = try RecordBatchHeader(start)
    } catch {
      let isEmpty = start.allSatisfy { $0 == 0 }
      try writer.fault(at: position, isEmpty ? "zeroes instead of a batch" : "no batch: \(error)")
      return faults + 1
    }
    guard header.totalBytes <= batchBytesMax.value else {
      try writer.fault(at: position, "no batch: it would have \(header.totalBytes) bytes")
      return faults + 1
    }
    guard Int64(header.totalBytes) <= file.size - position else {
      let rest = file.size - position
      try writer.fault(at: position, "a batch of \(header.totalBytes) bytes, of which \(rest) are there")
      return faults + 1
    }
    let batch = try file.bytes(at: position, count: header.totalBytes)
    let isValid = header.matchesChecksum(of: batch)
    if !isValid { faults += 1 }
    try writer.batch(header, at: position, isValid: isValid)
    if detail == .records {
      do {
        try writer.records(header, Array(batch[RecordBatchHeader.byteCount...]), decoder)
      } catch let error as ReaderLeft {
        throw error
      } catch {
        faults += 1
        try writer.fault(at: position, "the records cannot be read: \(error)")
      }
    }
    position += Int64(header.totalBytes)
  }
  return faults
}

extension RecordBatchHeader {
  fileprivate var traits: [String] {
    var traits: [String] = []
    if attributes.isTransactional { traits.append("transactional") }
    if attributes.isControl { traits.append("control") }
    if attributes.timestampType == .logAppendTime { traits.append("log-append-time") }
    if attributes.hasDeleteHorizon { traits.append("delete-horizon") }
    return traits
  }
  fileprivate var codecName: String { attributes.compression?.name ?? "codec \(attributes.codecNumber)" }
}

extension DumpWriter {
  fileprivate func batch(_ header: RecordBatchHeader, at position: Int64, isValid: Bool) throws {
    var words = [
      "  at \(position)", "offsets \(header.baseOffset.value)-\(header.lastOffset.value)",
      "records \(header.recordsCount)", "bytes \(header.totalBytes)", "epoch \(header.partitionLeaderEpoch.value)",
      "timestamp \(header.maxTimestamp.milliseconds)", header.codecName,
    ]
    if header.isIdempotent {
      words.append(
        "producer \(header.producerID.value) epoch \(header.producerEpoch.value) sequence \(header.baseSequence)")
    }
    words += header.traits
    words.append(isValid ? "crc ok" : "CRC WRONG")
    try line(
      words.joined(separator: "  "),
      .object([
        "position": .number(position), "baseOffset": .number(header.baseOffset.value),
        "lastOffset": .number(header.lastOffset.value), "records": .number(header.recordsCount),
        "bytes": .number(header.totalBytes), "leaderEpoch": .number(header.partitionLeaderEpoch.value),
        "baseTimestamp": .number(header.baseTimestamp.milliseconds),
        "maxTimestamp": .number(header.maxTimestamp.milliseconds), "compression": .string(header.codecName),
        "producerId": .number(header.producerID.value), "producerEpoch": .number(header.producerEpoch.value),
        "baseSequence": .number(header.baseSequence), "traits": .array(header.traits.map { .string($0) }),
        "crcValid": .bool(isValid),
      ]))
  }

  fileprivate func records(_ header: RecordBatchHeader, _ body: [UInt8], _ decoder: ValueDecoder) throws {
    guard let codec = header.attributes.compression else {
      throw RecordBatchError.unknownCompression(header.attributes.codecNumber)
    }
    let plain = codec == .none ? body : try RecordCodec.decompress(body, with: codec, limit: batchBytesMax)
    for record in try header.records(in: plain) {
      let key = decoder.key(of: record, isControl: header.attributes.isControl)
      let value = decoder.value(of: record, isControl: header.attributes.isControl)
      var words = ["    offset \(record.offset.value)", "timestamp \(record.timestamp.milliseconds)"]
      words += ["key \(key.shown)", "value \(value.shown)"]
      if !record.headers.isEmpty {
        words.append("headers " + record.headers.map { "\($0.key)=\(printable($0.value))" }.joined(separator: ","))
      }
      try line(
        words.joined(separator: "  "),
        .object([
          "offset": .number(record.offset.value), "timestamp": .number(record.timestamp.milliseconds),
          "key": key, "value": value,
          "headers": .array(
            record.headers.map { .object(["key": .string($0.key), "value": .text($0.value)]) }),
        ]))
    }
  }
}
