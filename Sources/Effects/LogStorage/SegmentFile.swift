import Vocabulary

/// The files of a segment, named as Kafka names them: the base offset in 20 digits and a suffix.
enum SegmentFile: String, CaseIterable {
  case log
  case offsetIndex = "index"
  case timeIndex = "timeindex"
  case transactionIndex = "txnindex"
  case producerSnapshot = "snapshot"

  /// A file that compaction is writing; worthless after a crash.
  static let cleanedSuffix = ".cleaned"
  /// A whole cleaned file whose predecessors may go: recovery finishes the swap.
  static let swapSuffix = ".swap"
  /// A file that Kafka had scheduled for deletion.
  static let deletedSuffix = ".deleted"
  static let partitionMetadata = "partition.metadata"
  static let leaderEpochs = "leader-epoch-checkpoint"
  static let logStart = "log-start-offset-checkpoint"

  func path(in directory: String, baseOffset: Int64) -> String {
    let digits = String(baseOffset)
    return "\(directory)/\(String(repeating: "0", count: max(0, 20 - digits.count)))\(digits).\(rawValue)"
  }

  /// The base offset and kind of a file's name, without any further suffix; nil for other files.
  static func parse(_ name: String) -> (baseOffset: Int64, kind: SegmentFile)? {
    let bytes = Array(name.utf8)
    guard bytes.count > 21, bytes[20] == UInt8(ascii: "."),
      let kind = SegmentFile(rawValue: String(decoding: bytes[21...], as: UTF8.self)),
      bytes[..<20].allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
      let offset = Int64(String(decoding: bytes[..<20], as: UTF8.self))
    else { return nil }
    return (offset, kind)
  }
}
