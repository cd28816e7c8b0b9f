import KafkaProtocol
import Vocabulary

private let offsetEntryBytes = 8
private let timeEntryBytes = 12
private let transactionEntryBytes = 34
/// Entries are read so many at a time.
private let entriesAtOnce = 8192

/// Writes the entries of an `.index` file and returns how many faults there are. A broker that is running may have
/// zeroes at the end, for entries to come; they are left out.
func dumpOffsetIndex(_ file: borrowing InputFile, base: Offset, to writer: inout DumpWriter) throws -> Int {
  var previous: (offset: UInt32, position: UInt32)?
  var order = OrderCheck()
  try eachEntry(of: file, bytes: offsetEntryBytes) { entry, place in
    let offset = number(entry[0..<4])
    let position = number(entry[4..<8])
    if offset == 0 && position == 0 && place > 0 { return false }
    let isAfter = previous.map { offset > $0.offset && position > $0.position } ?? true
    previous = (offset, position)
    try writer.line(
      "  offset \(base.value + Int64(offset))  position \(position)" + order.note(isAfter),
      .object(["offset": .number(base.value + Int64(offset)), "position": .number(position)]))
    return true
  }
  return try order.faults + partialEntry(of: file, bytes: offsetEntryBytes, writer)
}

/// Writes the entries of a `.timeindex` file and returns how many faults there are.
func dumpTimeIndex(_ file: borrowing InputFile, base: Offset, to writer: inout DumpWriter) throws -> Int {
  var previous: (time: Int64, offset: UInt32)?
  var order = OrderCheck()
  try eachEntry(of: file, bytes: timeEntryBytes) { entry, place in
    let time = Int64(bitPattern: UInt64(number(entry[0..<4])) << 32 | UInt64(number(entry[4..<8])))
    let offset = number(entry[8..<12])
    if time == 0 && offset == 0 && place > 0 { return false }
    let isAfter = previous.map { time >= $0.time && offset >= $0.offset } ?? true
    previous = (time, offset)
    try writer.line(
      "  timestamp \(time)  offset \(base.value + Int64(offset))" + order.note(isAfter),
      .object(["timestamp": .number(time), "offset": .number(base.value + Int64(offset))]))
    return true
  }
  return try order.faults + partialEntry(of: file, bytes: timeEntryBytes, writer)
}

/// Writes the transactions that a `.txnindex` file says were taken back, and returns how many faults there are.
func dumpTransactionIndex(_ file: borrowing InputFile, base: Offset, to writer: inout DumpWriter) throws -> Int {
  var previous = base.value - 1
  var order = OrderCheck()
  try eachEntry(of: file, bytes: transactionEntryBytes) { entry, _ in
    let fields = stride(from: 2, to: transactionEntryBytes, by: 8).map { longNumber(entry[$0..<$0 + 8]) }
    let (producer, first, last, stable) = (fields[0], fields[1], fields[2], fields[3])
    let isAfter = entry[0] == 0 && entry[1] == 0 && last > previous && first < last
    previous = last
    try writer.line(
      "  producer \(producer)  offsets \(first)-\(last)  last stable offset \(stable)" + order.note(isAfter),
      .object([
        "producerId": .number(producer), "firstOffset": .number(first), "lastOffset": .number(last),
        "lastStableOffset": .number(stable),
      ]))
    return true
  }
  return try order.faults + partialEntry(of: file, bytes: transactionEntryBytes, writer)
}

private struct OrderCheck {
  var faults = 0
  mutating func note(_ isAfter: Bool) -> String {
    if isAfter { return "" }
    faults += 1
    return "  OUT OF ORDER"
  }
}

/// Ends early when the body says so.
private func eachEntry(
  of file: borrowing InputFile, bytes size: Int, _ body: ([UInt8], Int) throws -> Bool
) throws {
  let count = Int(file.size) / size
  var place = 0
  while place < count {
    let piece = try file.bytes(at: Int64(place * size), count: min(entriesAtOnce, count - place) * size)
    guard piece.count >= size else { return }
    for start in stride(from: 0, through: piece.count - size, by: size) {
      guard try body(Array(piece[start..<(start + size)]), place) else { return }
      place += 1
    }
  }
}

private func partialEntry(of file: borrowing InputFile, bytes size: Int, _ writer: DumpWriter) throws -> Int {
  let rest = Int(file.size) % size
  guard rest > 0 else { return 0 }
  try writer.fault(at: file.size - Int64(rest), "\(rest) bytes that are no entry")
  return 1
}

private func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }

private func longNumber(_ bytes: ArraySlice<UInt8>) -> Int64 {
  Int64(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })
}
