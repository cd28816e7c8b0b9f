import KafkaProtocol
import RecordCompression
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct AppendAndReadTests {
  @Test func aRecordIsReadBackWithTheOffsetThatItWasGiven() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    let first = try log.put(Make.batch(["a", "b"]))
    let second = try log.put(Make.batch(["c"]))
    #expect(first.baseOffset == Offset(0) && first.lastOffset == Offset(1))
    #expect(second.baseOffset == Offset(2) && second.endOffset == Offset(3))
    #expect(try log.values() == ["a", "b", "c"])
    let batches = try log.everything()
    try batches[1].withUnsafeBytes { raw in
      let header = try RecordBatchHeader(raw)
      #expect(header.baseOffset == Offset(2))
      #expect(header.partitionLeaderEpoch == LeaderEpoch(1))
    }
  }

  @Test(arguments: [64, 300, 1_000, 100_000])
  func everyOffsetIsFoundInTinySegmentsBeforeAndAfterARestart(segmentBytes: Int) throws {
    let disk = SimulatedDisk(seed: 2)
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(segmentBytes)
    settings.indexInterval = ByteCount(200)
    var log = try Make.log(disk, settings)
    for n in 0..<200 { try log.put(Make.batch((0...n % 3).map { "value \(n) \($0)" })) }
    let all = try log.everything()
    for round in 0..<2 {
      for offset in stride(from: Int64(0), to: log.endOffset.value, by: 7) {
        for maxBytes in [1, 150, 5_000] {
          let outcome = try log.read(
            from: Offset(offset), maxBytes: maxBytes, upTo: log.endOffset, minimum: .oneBatch)
          guard case .slice(let slice) = outcome else {
            Issue.record("offset \(offset) was not found")
            continue
          }
          let bytes = try slice.bytes()
          let header = try bytes.withUnsafeBytes { try RecordBatchHeader($0) }
          #expect(header.baseOffset.value <= offset && header.lastOffset.value >= offset)
          #expect(header.baseOffset == slice.firstBatchBaseOffset)
          #expect(slice.count <= max(maxBytes, header.totalBytes))
        }
      }
      #expect(try log.everything() == all, "round \(round)")
      #expect(log.close().isClean)
      log = try Make.log(disk, settings)
    }
  }

  @Test func whatLiesAboveTheBoundIsNotRead() throws {
    var settings = LogSettings()
    settings.indexInterval = ByteCount(100)
    let disk = SimulatedDisk(seed: 3)
    var log = try Make.log(disk, settings)
    for n in 0..<100 { try log.put(Make.batch(["a\(n)", "b\(n)"])) }
    for _ in 0..<2 {
      for bound in [1, 2, 3, 100, 101, 199, 200] as [Int64] {
        for from in [0, 1, 90, 150, 198] as [Int64] where from < bound {
          switch try log.read(from: Offset(from), maxBytes: 1 << 20, upTo: Offset(bound), minimum: .oneBatch) {
          case .slice(let slice):
            let bytes = try slice.bytes()
            try bytes.withUnsafeBytes { raw in
              var cursor = RecordBatchCursor(raw)
              var last = Offset(0)
              while let batch = try cursor.next() { last = batch.header.lastOffset }
              #expect(last < Offset(bound) && last >= Offset(bound - 2))
            }
          case .empty: #expect(from / 2 == bound / 2, "from \(from), bound \(bound)")
          case .outOfRange: Issue.record("from \(from)")
          }
        }
      }
      log.close()
      log = try Make.log(disk, settings)
    }
    guard case .empty = try log.read(from: Offset(200), maxBytes: 9, upTo: Offset(200), minimum: .oneBatch) else {
      Issue.record("the end of the log is empty, not out of range")
      return
    }
    guard case .outOfRange = try log.read(from: Offset(201), maxBytes: 9, upTo: Offset(200), minimum: .oneBatch)
    else {
      Issue.record("beyond the end is out of range")
      return
    }
  }

  @Test func aBatchThatEndsAtTheBoundIsReadAlthoughAHoleFollows() throws {
    let log = try Make.log(SimulatedDisk(seed: 3))
    try log.put(Make.batch(["a", "b"], base: 0) + Make.batch(["c"], base: 20), .replica)
    guard case .slice(let slice) = try log.read(from: Offset(0), maxBytes: 999, upTo: Offset(2), minimum: .oneBatch)
    else {
      Issue.record("nothing at 0")
      return
    }
    let bytes = try slice.bytes()
    #expect(try recordValues(bytes) == ["a", "b"])
  }

  @Test func aReaderAtTheTailNeverTouchesTheFile() throws {
    let disk = SimulatedDisk(seed: 4)
    let log = try Make.log(disk)
    for n in 0..<50 {
      try log.put(Make.batch(["\(n)"]))
      guard
        case .slice(let slice) = try log.read(
          from: Offset(Int64(n)), maxBytes: 500, upTo: log.endOffset, minimum: .oneBatch)
      else {
        Issue.record("nothing at \(n)")
        return
      }
      #expect(slice.firstBatchBaseOffset == Offset(Int64(n)))
    }
    #expect(disk.reads == 0)
  }

  @Test func aBatchIsStoredInTheCodecThatTheTopicAsksFor() throws {
    for codec in Compression.allCases {
      var settings = LogSettings()
      settings.compression = .codec(codec, level: nil)
      let log = try Make.log(SimulatedDisk(seed: 5), settings)
      try log.put(Make.batch((0..<50).map { "the same words again \($0)" }))
      let stored = try log.everything()[0]
      let header = try stored.withUnsafeBytes { try RecordBatchHeader($0) }
      #expect(header.attributes.compression == codec)
      #expect(try log.keyValues().map(\.value) == (0..<50).map { "the same words again \($0)" })
    }
  }

  @Test func logAppendTimeReplacesTheProducersTime() throws {
    var settings = LogSettings()
    settings.timestampType = .logAppendTime
    let log = try Make.log(SimulatedDisk(seed: 6), settings)
    let appended = try log.put(Make.batch(["a"], at: 5), now: 77_000)
    #expect(appended.logAppendTime == Timestamp(milliseconds: 77_000))
    try log.everything()[0].withUnsafeBytes { raw in
      let header = try RecordBatch(raw).header
      #expect(header.maxTimestamp == Timestamp(milliseconds: 77_000))
      #expect(header.attributes.timestampType == .logAppendTime)
    }
  }

  @Test func aSliceOutlivesItsSegment() throws {
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(100)
    let log = try Make.log(SimulatedDisk(seed: 7), settings)
    for n in 0..<10 { try log.put(Make.batch(["\(n)"])) }
    guard case .slice(let slice) = try log.read(from: Offset(0), maxBytes: 1, upTo: log.endOffset, minimum: .oneBatch)
    else {
      Issue.record("nothing at 0")
      return
    }
    #expect(try log.deleteRecords(before: Offset(5)) == Offset(5))
    let bytes = try slice.bytes()
    #expect(try recordValues(bytes) == ["0"])
  }

  @Test func timesAreFoundAcrossSegmentsAndRestarts() throws {
    let disk = SimulatedDisk(seed: 8)
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(400)
    settings.indexInterval = ByteCount(100)
    var log = try Make.log(disk, settings)
    for n in 0..<100 { try log.put(Make.batch(["a\(n)", "b\(n)"], at: 1_000 + Int64(n) * 10), now: 2000) }
    for _ in 0..<2 {
      for n in 0..<100 as Range<Int64> {
        #expect(try log.offset(forTimestamp: Timestamp(milliseconds: 1_000 + n * 10))?.offset == Offset(2 * n))
        let second = try log.offset(forTimestamp: Timestamp(milliseconds: 1_001 + n * 10))
        #expect(second?.offset == Offset(2 * n + 1))
        #expect(second?.timestamp == Timestamp(milliseconds: 1_001 + n * 10))
      }
      #expect(try log.offset(forTimestamp: Timestamp(milliseconds: 9_999)) == nil)
      #expect(try log.offsetOfMaxTimestamp()?.offset == Offset(199))
      log.close()
      log = try Make.log(disk, settings)
    }
  }
}

extension CloseOutcome {
  var isClean: Bool { if case .clean = self { true } else { false } }
}
