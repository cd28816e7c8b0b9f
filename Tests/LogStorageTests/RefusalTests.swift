import KafkaProtocol
import RecordCompression
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

/// What a log does not take, and that it then stays as it was.
@Suite struct RefusalTests {
  private func refusal(
    _ bytes: [UInt8], _ change: (inout LogSettings) -> Void = { _ in }, origin: AppendOrigin = .client
  ) throws -> AppendRefusal? {
    var settings = LogSettings()
    change(&settings)
    let log = try Make.log(SimulatedDisk(seed: 1), settings)
    switch try log.tryPut(bytes, origin) {
    case .success: return nil
    case .failure(let refusal):
      #expect(log.endOffset == .zero && log.failure == nil)
      return refusal
    }
  }

  @Test func aBatchThatIsTooLargeIsRefused() throws {
    let bytes = Make.batch([String(repeating: "x", count: 500)])
    #expect(try refusal(bytes, { $0.batchBytesMax = ByteCount(bytes.count - 1) })?.code == .messageTooLarge)
    #expect(try refusal(bytes, { $0.batchBytesMax = ByteCount(bytes.count) }) == nil)
    #expect(try refusal(bytes, { $0.batchBytesMax = ByteCount(1) }, origin: .coordinator) == nil)
  }

  @Test func aTimeTooFarFromTheClockIsRefused() throws {
    // The clock of these logs says 2,000.
    let hour: Int64 = 3_600_000
    #expect(try refusal(Make.batch(["a"], at: 2_001 + hour))?.code == .invalidTimestamp)
    #expect(try refusal(Make.batch(["a"], at: 2_000 + hour)) == nil)
    #expect(
      try refusal(Make.batch(["a"], at: 1_499), { $0.timestampBeforeMax = .milliseconds(500) })?.code
        == .invalidTimestamp)
    #expect(try refusal(Make.batch(["a"], at: 2_001 + hour), { $0.timestampType = .logAppendTime }) == nil)
  }

  @Test func aCompactedTopicNamesTheRecordsWithoutAKey() throws {
    let refused = try refusal(Make.batch(["a", "b", "c"], keys: ["k", nil, nil]), { $0.cleanup = .compact })
    #expect(refused?.code == .invalidRecord)
    #expect(refused?.recordErrors.map(\.index) == [1, 2])
    #expect(refused?.recordErrors.first?.message.isEmpty == false)
  }

  @Test func keysAreAskedForInCompressedBatchesToo() throws {
    var builder = RecordBatchBuilder(attributes: RecordBatchAttributes(compression: .zstd))
    builder.append(timestamp: Timestamp(milliseconds: 1), key: nil, value: [1])
    let body = try builder.body.withUnsafeBytes { try RecordCodec.compress($0, with: .zstd) }
    #expect(
      try refusal(builder.build(compressedBody: body), { $0.cleanup = .compact })?.recordErrors.map(\.index) == [0])
    #expect(try refusal(builder.build(compressedBody: body)) == nil)
  }

  @Test func aBombIsRefusedBeforeItGoesOff() throws {
    var builder = RecordBatchBuilder(attributes: RecordBatchAttributes(compression: .gzip))
    builder.append(timestamp: Timestamp(milliseconds: 1), key: [1], value: [UInt8](repeating: 0, count: 1 << 20))
    let body = try builder.body.withUnsafeBytes { try RecordCodec.compress($0, with: .gzip) }
    let refused = try refusal(
      builder.build(compressedBody: body),
      {
        $0.cleanup = .compact
        $0.batchBytesMax = ByteCount(4_000)
      })
    #expect(refused?.code == .messageTooLarge)
  }

  @Test func aBodyThatIsNotWhatItsCodecWritesIsRefused() throws {
    var builder = RecordBatchBuilder(attributes: RecordBatchAttributes(compression: .lz4))
    builder.append(timestamp: Timestamp(milliseconds: 1), key: [1], value: [2])
    let bytes = builder.build(compressedBody: [1, 2, 3, 4, 5])
    #expect(try refusal(bytes, { $0.cleanup = .compact })?.code == .corruptMessage)
  }

  @Test func aCorruptBatchFromALeaderIsRefused() throws {
    var bytes = Make.batch(["a"], base: 0, epoch: 1)
    bytes[bytes.count - 1] ^= 1
    #expect(try refusal(bytes, origin: .replica)?.code == .corruptMessage)
    #expect(try refusal([], origin: .replica)?.code == .corruptMessage)
  }

  @Test func aLeaderMayLeaveAHoleButNotGoBack() throws {
    let log = try Make.log(SimulatedDisk(seed: 2))
    try log.put(Make.batch(["a"], base: 0, epoch: 1) + Make.batch(["b", "c"], base: 5, epoch: 2), .replica)
    #expect(log.endOffset == Offset(7))
    #expect(log.leaderEpochs.end(of: LeaderEpoch(1), logEnd: log.endOffset)?.end == Offset(5))
    guard case .failure(let refused) = try log.tryPut(Make.batch(["d"], base: 6, epoch: 2), .replica) else {
      Issue.record("an offset was written twice")
      return
    }
    #expect(refused.code == .offsetOutOfRange)
  }

  @Test func aLargestTimeThatLiesIsCorrected() throws {
    let log = try Make.log(SimulatedDisk(seed: 3))
    var bytes = Make.batch(["a"], at: 1_500)
    bytes.withUnsafeMutableBytes {
      RecordBatchEdit.setMaxTimestamp(Timestamp(milliseconds: .max), type: .createTime, in: $0)
    }
    try log.put(bytes)
    #expect(try log.offsetOfMaxTimestamp()?.timestamp == Timestamp(milliseconds: 1_500))
  }
}
