import KafkaProtocol
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct ConcurrencyTests {
  /// Writers, readers, a syncer, a cleaner and retention at once: every reader sees every offset in order,
  /// and each with the bytes that were written there.
  @Test func everybodyMayUseALogAtOnce() async throws {
    var settings = CleanerTests.settings(segmentBytes: 2_000)
    settings.cleanup = [.compact, .delete]
    settings.retentionSpan = nil
    settings.retentionBytes = ByteCount(20_000)
    let log = try Make.log(SimulatedDisk(seed: 1), settings, files: OpenFiles(limit: 16))
    let count: Int64 = 8_000
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<2 {
        group.addTask {
          for n in 0..<count / 2 {
            try log.put(Make.batch(["w\(writer) \(n)"], keys: ["k\(n % 50)"]))
            if n % 16 == 0 { await Task.yield() }
          }
        }
      }
      group.addTask {
        while log.endOffset < Offset(count) {
          try log.flush()
          await Task.yield()
        }
      }
      group.addTask {
        var dirty = Offset.zero
        while log.endOffset < Offset(count) {
          dirty = try Cleaner().clean(log, from: dirty, upTo: log.endOffset, now: Timestamp(milliseconds: 5_000))
            .firstDirtyOffset
          _ = try log.applyRetention(now: Timestamp(milliseconds: 5_000), highWatermark: log.endOffset)
          await Task.yield()
        }
      }
      for reader in 0..<2 {
        group.addTask {
          var at = Offset.zero
          while at < Offset(count) {
            at = try readOn(log, from: at, maxBytes: reader == 0 ? 100 : 3_000)
            await Task.yield()
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(log.failure == nil && log.endOffset == Offset(count))
    #expect(try log.flush() == Offset(count))
  }
}

/// Reads one slice and says where the next one begins.
private func readOn(_ log: PartitionLog, from at: Offset, maxBytes: Int) throws -> Offset {
  switch try log.read(from: at, maxBytes: maxBytes, upTo: log.endOffset, minimum: .oneBatch) {
  case .empty: return at
  case .outOfRange: return max(at, log.startOffset)
  case .slice(let slice):
    let bytes = try slice.bytes()
    return try bytes.withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      var next = at
      while let batch = try cursor.next() {
        guard batch.isChecksumValid else { throw Surprise("a corrupt batch") }
        guard batch.header.nextOffset > next else { throw Surprise("offsets that go back") }
        next = batch.header.nextOffset
      }
      guard cursor.position == raw.count else { throw Surprise("a slice that is cut off") }
      return next
    }
  }
}
