import Glibc
import KafkaProtocol
import LogStorage
import RecordCompression
import Testing
import Vocabulary

@testable import CommandLine

/// A folder that is gone after the test.
private final class Folder {
  let path: String
  private var files: [String] = []

  init(_ name: String = "t-0") throws {
    var template = Array("/tmp/dump-XXXXXX".utf8CString)
    let top = try #require(mkdtemp(&template))
    path = String(cString: top) + "/" + name
    try #require(mkdir(path, 0o700) == 0)
  }
  deinit {
    for file in files { unlink(file) }
    rmdir(path)
    rmdir(path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 })
  }

  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = "\(path)/\(name)"
    let descriptor = open(file, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    close(descriptor)
    files.append(file)
    return file
  }
}

@Suite struct LogDumpTests {
  static let log = "00000000000000000005.log"

  static func batch(_ values: [String], at offset: Int64, _ codec: Compression = .none) throws -> [UInt8] {
    var builder = RecordBatchBuilder(
      attributes: RecordBatchAttributes(compression: codec), baseOffset: Offset(offset), leaderEpoch: LeaderEpoch(2))
    for value in values {
      builder.append(timestamp: Timestamp(milliseconds: 1234), key: Array("k".utf8), value: Array(value.utf8))
    }
    if codec == .none { return builder.build() }
    return builder.build(
      compressedBody: try builder.body.withUnsafeBytes { try RecordCodec.compress($0, with: codec) })
  }

  @Test func batchesAndTheirRecordsAreShown() async throws {
    let folder = try Folder()
    let bytes = try Self.batch(["one", "two"], at: 5) + Self.batch(["three"], at: 7, .zstd)
    let file = try folder.write(Self.log, bytes)
    let heard = Heard()
    #expect(await heard.run("log", "dump", "--records", file) == 0, "\(heard.errors)")
    #expect(heard.output.contains("offsets 5-6  records 2"))
    #expect(heard.output.contains("zstd  crc ok"))
    #expect(heard.output.contains("offset 7  timestamp 1234  key k  value three"))
  }

  @Test func aFolderStandsForItsSegmentsAndIndexes() async throws {
    let folder = try Folder()
    _ = try folder.write(Self.log, try Self.batch(["one"], at: 5))
    _ = try folder.write("00000000000000000005.index", [0, 0, 0, 1, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0])
    _ = try folder.write("00000000000000000005.timeindex", [0, 0, 0, 0, 0, 0, 4, 210, 0, 0, 0, 3])
    _ = try folder.write("leader-epoch-checkpoint", [])
    let heard = Heard()
    #expect(await heard.run("log", "dump", folder.path) == 0, "\(heard.errors)")
    #expect(heard.output.contains("offset 6  position 99\n"))
    #expect(heard.output.contains("timestamp 1234  offset 8\n"))
    #expect(heard.output.contains("offsets 5-5  records 1"))
  }

  @Test func markersAndWhatTheyTookBackAreShown() async throws {
    let folder = try Folder()
    for (offset, committed) in [(5, true), (6, false)] as [(Int64, Bool)] {
      var marker = TransactionMarkerBatch.build(
        outcome: committed, producer: ProducerID(4), epoch: ProducerEpoch(1), coordinatorEpoch: 7,
        at: Timestamp(milliseconds: 1234))
      marker.withUnsafeMutableBytes { RecordBatchEdit.setBaseOffset(Offset(offset), in: $0) }
      let heard = Heard()
      #expect(await heard.run("log", "dump", "--records", try folder.write(Self.log, marker)) == 0, "\(heard.errors)")
      #expect(heard.output.contains("producer 4 epoch 1 sequence -1  transactional  control"))
      #expect(heard.output.contains("key \(committed ? "COMMIT" : "ABORT")  value {\"coordinatorEpoch\":7}"))
    }
    var entry: [UInt8] = [0, 0]
    for field in [4, 5, 9, 10] as [UInt8] { entry += [0, 0, 0, 0, 0, 0, 0, field] }
    let index = try folder.write("00000000000000000005.txnindex", entry)
    let heard = Heard()
    #expect(await heard.run("log", "dump", index) == 0, "\(heard.errors)")
    #expect(heard.output.contains("producer 4  offsets 5-9  last stable offset 10\n"))
    let torn = Heard()
    #expect(await torn.run("log", "dump", try folder.write("00000000000000000005.txnindex", entry + entry + [0])) == 1)
    #expect(torn.output.contains("OUT OF ORDER") && torn.output.contains("1 bytes that are no entry"))
  }

  @Test func jsonHasOneObjectInEachLine() async throws {
    let folder = try Folder()
    let file = try folder.write(Self.log, try Self.batch(["one"], at: 5))
    let heard = Heard()
    #expect(await heard.run("log", "dump", file, "--records", "-o", "json") == 0)
    let lines = heard.output.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
    #expect(lines[1].contains(#""baseOffset":5"#) && lines[1].contains(#""crcValid":true"#))
    #expect(lines[2].contains(#""key":"k","value":"one""#))
  }

  @Test func aWrongChecksumIsSaidAndTheNextBatchIsStillShown() async throws {
    let folder = try Folder()
    var bytes = try Self.batch(["one"], at: 5)
    bytes[bytes.count - 2] ^= 1
    let file = try folder.write(Self.log, bytes + Self.batch(["two"], at: 6))
    let heard = Heard()
    #expect(await heard.run("log", "dump", file) == 1)
    #expect(heard.output.contains("offsets 5-5") && heard.output.contains("CRC WRONG"))
    #expect(heard.output.contains("offsets 6-6") && heard.output.contains("crc ok"))
    #expect(heard.errors == "swiftwater: 1 fault found\n")
  }

  @Test func aBatchThatEndsTooEarlyIsSaid() async throws {
    let folder = try Folder()
    let whole = try Self.batch(["one"], at: 5)
    let file = try folder.write(Self.log, whole + whole.dropLast(4))
    let heard = Heard()
    #expect(await heard.run("log", "dump", file) == 1)
    #expect(
      heard.output.contains("at \(whole.count): a batch of \(whole.count) bytes, of which \(whole.count - 4) are there")
    )
  }

  /// Every byte of a segment is turned over once; nothing may trap, and every change but that of the leader's epoch or
  /// of the base offset, which no checksum covers, is found.
  @Test func noCorruptByteGoesUnnoticed() async throws {
    let folder = try Folder()
    let whole = try Self.batch(["one", "two"], at: 5, .lz4)
    for place in whole.indices {
      var bytes = whole
      bytes[place] ^= 0xff
      let file = try folder.write(Self.log, bytes)
      let heard = Heard()
      let status = await heard.run("log", "dump", "--records", file)
      let isUncovered = (1..<8).contains(place) || (12..<16).contains(place)
      #expect(status == (isUncovered ? 0 : 1), "byte \(place): \(heard.output)")
    }
  }

  @Test(arguments: [1, 16, 17, 60, 61, 400]) func zeroesAreNoBatch(count: Int) async throws {
    let folder = try Folder()
    let file = try folder.write(Self.log, [UInt8](repeating: 0, count: count))
    let heard = Heard()
    #expect(await heard.run("log", "dump", file) == 1)
    #expect(heard.output.contains("zeroes instead of a batch"))
  }

  @Test func bytesOfAnotherKindAreNoBatch() async throws {
    let folder = try Folder()
    let file = try folder.write(Self.log, Array(String(repeating: "not a log at all\n", count: 30).utf8))
    let heard = Heard()
    #expect(await heard.run("log", "dump", file) == 1)
    #expect(heard.output.hasSuffix("  at 0: no batch: format 10 is not known, only 2\n"))
  }

  @Test func anIndexOutOfOrderOrWithHalfAnEntryIsSaid() async throws {
    let folder = try Folder()
    let file = try folder.write(
      "00000000000000000000.index", [0, 0, 0, 9, 0, 0, 0, 99, 0, 0, 0, 3, 0, 0, 0, 5, 1, 2])
    let heard = Heard()
    #expect(await heard.run("log", "dump", file) == 1)
    #expect(heard.output.contains("offset 3  position 5  OUT OF ORDER"))
    #expect(heard.output.contains("2 bytes that are no entry"))
  }

  @Test func committedOffsetsAreShownByWhatTheyMean() async throws {
    let folder = try Folder("__consumer_offsets-3")
    var builder = RecordBatchBuilder()
    let key = GroupRecordKey.offsetCommit(group: "readers", topic: "t", partition: 1).encode()
    let value = OffsetCommitValue { $0.offset = 4711 }.encode()
    builder.append(timestamp: Timestamp(milliseconds: 1), key: key, value: value)
    let file = try folder.write("00000000000000000000.log", builder.build())
    let heard = Heard()
    #expect(await heard.run("log", "dump", "--records", file) == 0)
    #expect(heard.output.contains(#"key {"offsetCommit":{"group":"readers","topic":"t","partition":1}}"#))
    #expect(heard.output.contains(#"value {"offset":4711,"leaderEpoch":-1,"metadata":"","#))
  }

  @Test func metadataRecordsAreShownByWhatTheyMean() async throws {
    let folder = try Folder("__cluster_metadata-0")
    var builder = RecordBatchBuilder()
    let value = MetadataRecord.topic(TopicRecord { $0.name = "orders" }).encodeValue()
    builder.append(timestamp: Timestamp(milliseconds: 1), key: nil, value: value)
    builder.append(timestamp: Timestamp(milliseconds: 1), key: nil, value: [9, 9, 9])
    let file = try folder.write("00000000000000000000.log", builder.build())
    let heard = Heard()
    #expect(await heard.run("log", "dump", "--records", file) == 0)
    #expect(heard.output.contains(#"value {"topic":{"name":"orders","topicID":"AAAAAAAAAAAAAAAAAAAAAA"}}"#))
    #expect(heard.output.contains("0x090909"))
  }

  @Test func aFileThatIsNotThereIsNamed() async {
    let heard = Heard()
    #expect(await heard.run("log", "dump", "/tmp/no-such-folder/1.log") == 1)
    #expect(heard.errors == "swiftwater: /tmp/no-such-folder/1.log: No such file or directory\n")
  }
}
