import KafkaProtocol
import LogStorage
import Vocabulary

let logDumpCommand = Command(
  "log", "dump", "Shows the batches and indexes in the files of a partition, and whether they are whole.",
  operands: "FILE|DIRECTORY…", count: 1...Int.max,
  options: [.flag("records", "the records in the batches as well"), .output], perform: dumpLogs)

/// A log's file by its name: the first offset in it, and what it is.
enum LogFile: Hashable {
  case batches
  case offsetIndex(base: Offset)
  case timeIndex(base: Offset)
  case transactionIndex(base: Offset)

  init?(_ path: String) {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: ".") else { return nil }
    let base = Int64(name[..<dot]).map { Offset($0) }
    switch (name[name.index(after: dot)...], base) {
    case ("log", _), ("checkpoint", _): self = .batches
    case ("index", let base?): self = .offsetIndex(base: base)
    case ("timeindex", let base?): self = .timeIndex(base: base)
    case ("txnindex", let base?): self = .transactionIndex(base: base)
    default: return nil
    }
  }
}

private func dumpLogs(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  let detail: DumpDetail = arguments.has("records") ? .records : .batches
  var faults = 0
  for path in try arguments.positionals.flatMap({ try files(of: $0) }) {
    guard let kind = LogFile(path) else {
      throw Failure("\(path): a .log, .index, .timeindex, .txnindex or .checkpoint file is needed")
    }
    let file = try InputFile(path)
    var writer = DumpWriter(console, format: format)
    try writer.begin(path, size: file.size)
    switch kind {
    case .batches: faults += try dumpBatches(file, detail, to: &writer)
    case .offsetIndex(let base): faults += try dumpOffsetIndex(file, base: base, to: &writer)
    case .timeIndex(let base): faults += try dumpTimeIndex(file, base: base, to: &writer)
    case .transactionIndex(let base): faults += try dumpTransactionIndex(file, base: base, to: &writer)
    }
  }
  guard faults == 0 else { throw Failure("\(count(faults, "fault")) found") }
}

/// A folder stands for its segments and their indexes, in the order of their offsets.
private func files(of path: String) throws -> [String] {
  guard InputFile.isDirectory(path) else { return [path] }
  let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
  let names: [String]
  do { names = try FileDisk().list(folder).sorted() } catch { throw Failure("\(error)") }
  let found = names.filter { LogFile($0) != nil && !$0.hasSuffix(".checkpoint") }
  guard !found.isEmpty else { throw Failure("\(path): no .log, .index, .timeindex or .txnindex file in it") }
  return found.map { "\(folder)/\($0)" }
}

enum DumpDetail: Hashable {
  case batches
  case records
}

/// Writes what is found: text, or one JSON object in each line.
struct DumpWriter {
  let console: Console
  let format: Format

  init(_ console: Console, format: Format) {
    self.console = console
    self.format = format
  }

  mutating func begin(_ path: String, size: Int64) throws {
    switch format {
    case .table: try console.write("\(path) (\(size) bytes)\n")
    case .json: try console.write(JSON.object(["file": .string(path), "bytes": .number(size)]).compact + "\n")
    }
  }

  func line(_ text: @autoclosure () -> String, _ json: @autoclosure () -> JSON) throws {
    switch format {
    case .table: try console.write(text() + "\n")
    case .json: try console.write(json().compact + "\n")
    }
  }

  func fault(at position: Int64, _ words: String) throws {
    try line(
      "  at \(position): \(words)", .object(["position": .number(position), "fault": .string(words)]))
  }
}
