import KafkaProtocol
import SimulatedWorld
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct ProducerTests {
  private func batch(_ sequence: Int32, count: Int = 1, epoch: Int16 = 0, time: Int64 = 1000, id: Int64 = 4) -> [UInt8]
  {
    Make.batch(
      (0..<count).map { "s\(sequence)+\($0)" }, at: time,
      producer: ProducerStamp(id: ProducerID(id), epoch: ProducerEpoch(epoch), baseSequence: sequence))
  }

  private func code(_ log: PartitionLog, _ bytes: [UInt8], epoch: Int32 = 1) throws -> ErrorCode {
    switch try log.tryPut(bytes, epoch: epoch) {
    case .success: .none
    case .failure(let refusal): refusal.code
    }
  }

  /// A producer that is not known begins where it is once it has been asked for what comes before.
  private func takeUnknown(_ bytes: [UInt8], _ log: PartitionLog) throws {
    for _ in 0..<EarlyBatches.timesMaxOfUnknown { #expect(try code(log, bytes) == .notLeaderOrFollower) }
    try log.put(bytes)
  }

  @Test func aRepeatOfAnyOfTheLastFiveBatchesGetsItsOriginalOffset() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    for n in 0..<6 as Range<Int32> { try log.put(batch(n * 2, count: 2)) }
    for n in 1..<6 as Range<Int32> {
      let again = try log.put(batch(n * 2, count: 2))
      #expect(
        again.isDuplicate && again.baseOffset == Offset(Int64(n) * 2) && again.lastOffset == Offset(Int64(n) * 2 + 1))
    }
    #expect(log.endOffset == Offset(12))
    // The sixth is forgotten; so is half of a known one.
    #expect(try code(log, batch(0, count: 2)) == .outOfOrderSequenceNumber)
    #expect(try code(log, batch(10, count: 1)) == .outOfOrderSequenceNumber)
    #expect(try code(log, batch(13)) == .notLeaderOrFollower)
    #expect(try code(log, batch(12)) == .none)
  }

  /// librdkafka begins a new epoch where it is told that a batch is out of order, and stores again what is stored already.
  @Test func anEarlyBatchIsToComeAgainBeforeItIsToldThatItIsOutOfOrder() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    try log.put(batch(0))
    for _ in 0..<2 {
      for _ in 0..<EarlyBatches.timesMax { #expect(try code(log, batch(2)) == .notLeaderOrFollower) }
      #expect(try code(log, batch(2)) == .outOfOrderSequenceNumber)
    }
    for _ in 1..<EarlyBatches.timesMax { #expect(try code(log, batch(2)) == .notLeaderOrFollower) }
    #expect(try code(log, batch(0, id: 5)) == .none, "of another producer nothing is missing")
    #expect(try code(log, batch(1)) == .none)
    #expect(try code(log, batch(2)) == .none)
    // What is missing has come: the count begins anew.
    for _ in 0..<EarlyBatches.timesMax { #expect(try code(log, batch(9)) == .notLeaderOrFollower) }
    #expect(try code(log, batch(9)) == .outOfOrderSequenceNumber)
    #expect(log.endOffset == Offset(4))
  }

  @Test func whoeverWaitsBehindTheFirstEarlyBatchIsNotTold() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    try log.put(batch(0))
    // Five on their way, of which the first is refused before it comes here.
    for _ in 0..<EarlyBatches.timesMax {
      for n in 2..<6 as Range<Int32> { #expect(try code(log, batch(n)) == .notLeaderOrFollower) }
    }
    #expect(try code(log, batch(2)) == .outOfOrderSequenceNumber)
    #expect(try code(log, batch(3)) == .notLeaderOrFollower)
    // A lower one is the first from now on.
    for _ in 0..<EarlyBatches.timesMax { #expect(try code(log, batch(2)) == .notLeaderOrFollower) }
    #expect(try code(log, batch(2)) == .outOfOrderSequenceNumber)
  }

  @Test func whoNeverSendsTheFirstEarlyBatchAgainIsToldAsWell() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    try log.put(batch(0))
    for n in 2..<(2 + Int32(EarlyBatches.allMax)) { #expect(try code(log, batch(n)) == .notLeaderOrFollower) }
    #expect(try code(log, batch(100)) == .outOfOrderSequenceNumber)
  }

  @Test func whatIsBehindTheSequenceIsOutOfOrderAtOnce() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    for n in 0..<20 as Range<Int32> { try log.put(batch(n)) }
    for n in 0..<15 as Range<Int32> { #expect(try code(log, batch(n)) == .outOfOrderSequenceNumber) }
  }

  @Test func producersThatAreEarlyTakeBoundedMemory() {
    var early = EarlyBatches()
    func comesAgain(_ id: Int64) -> Bool {
      early.mayCloseGap(
        before: ProducerStamp(id: ProducerID(id), epoch: ProducerEpoch(0), baseSequence: 3), in: LeaderEpoch(1),
        isUnknown: true)
    }
    for id in 0..<Int64(EarlyBatches.producersMax) { #expect(comesAgain(id) && comesAgain(id)) }
    #expect(!comesAgain(5))
    #expect(comesAgain(.max))
    // One more makes room at the expense of the lowest.
    #expect(comesAgain(.max - 1))
    #expect(!comesAgain(1) && comesAgain(0))
  }

  @Test func manyUnknownProducersAtOnceAreAllTakenInTheEnd() {
    var early = EarlyBatches()
    var waiting = Set(0..<Int64(2 * EarlyBatches.producersMax))
    for _ in 0..<12 where !waiting.isEmpty {
      for id in waiting.sorted() {
        let stamp = ProducerStamp(id: ProducerID(id), epoch: ProducerEpoch(0), baseSequence: 3)
        if !early.mayCloseGap(before: stamp, in: LeaderEpoch(1), isUnknown: true) { waiting.remove(id) }
      }
    }
    #expect(waiting.isEmpty, "\(waiting.count) are refused for ever")
  }

  @Test func anUnknownProducerMayBeginAnywhereOnceNothingBeforeItCame() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    for _ in 0..<EarlyBatches.timesMaxOfUnknown {
      for n in 7..<11 as Range<Int32> { #expect(try code(log, batch(n)) == .notLeaderOrFollower) }
    }
    #expect(try code(log, batch(7)) == .none)
    #expect(try code(log, batch(8)) == .none)
    #expect(try code(log, batch(3, id: 5)) == .notLeaderOrFollower)
    #expect(try code(log, batch(0, id: 5)) == .none)
    #expect(try code(log, batch(3, id: 5)) == .notLeaderOrFollower, "it is known by now")
  }

  @Test func aNewLeaderCountsAnew() throws {
    let log = try Make.log(SimulatedDisk(seed: 1))
    try log.put(batch(0))
    for _ in 0..<EarlyBatches.timesMax { #expect(try code(log, batch(2)) == .notLeaderOrFollower) }
    for _ in 0..<EarlyBatches.timesMax { #expect(try code(log, batch(2), epoch: 2) == .notLeaderOrFollower) }
    #expect(try code(log, batch(2), epoch: 2) == .outOfOrderSequenceNumber)
  }

  @Test func sequencesGoOnFromTheLargestToZero() throws {
    let log = try Make.log(SimulatedDisk(seed: 2))
    try takeUnknown(batch(.max - 2, count: 2), log)
    try log.put(batch(.max, count: 3))
    #expect(try log.put(batch(.max, count: 3)).baseOffset == Offset(2))
    #expect(try code(log, batch(3)) == .notLeaderOrFollower)
    #expect(try code(log, batch(1)) == .outOfOrderSequenceNumber)
    #expect(try code(log, batch(2)) == .none)
    let other = try Make.log(SimulatedDisk(seed: 2), directory: "data/orders-0")
    try takeUnknown(batch(.max), other)
    #expect(try code(other, batch(0)) == .none)
  }

  @Test func anOlderEpochIsFencedAndANewerOneStartsAtZero() throws {
    let log = try Make.log(SimulatedDisk(seed: 3))
    try log.put(batch(0, epoch: 3))
    #expect(try code(log, batch(1, epoch: 2)) == .invalidProducerEpoch)
    #expect(try code(log, batch(1, epoch: 4)) == .notLeaderOrFollower)
    #expect(try code(log, batch(0, epoch: 4)) == .none)
    #expect(try code(log, batch(1, epoch: 3)) == .invalidProducerEpoch)
  }

  @Test(arguments: [true, false])
  func whatWasSeenIsKnownAfterARestart(isClean: Bool) throws {
    let disk = SimulatedDisk(seed: 4)
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(300)
    let log = try Make.log(disk, settings)
    for n in 0..<20 as Range<Int32> {
      try log.put(batch(n))
      try log.put(batch(n, id: 8))
    }
    let producers = log.activeProducers
    try log.flush()
    if isClean { log.close() } else { log.abandon() }
    let again = try Make.log(disk, settings, recovery: isClean ? .clean : .afterCrash(recoveryPoint: log.syncedOffset))
    #expect(again.activeProducers == producers)
    #expect(try again.put(batch(19)).baseOffset == Offset(38))
    // A producer that has five on their way may not know of any that it is stored.
    for n in 15..<20 as Range<Int32> {
      let repeated = try again.put(batch(n))
      #expect(repeated.isDuplicate && repeated.baseOffset == Offset(Int64(n) * 2))
    }
    #expect(try code(again, batch(21)) == .notLeaderOrFollower)
    #expect(try code(again, batch(20, id: 8)) == .none)
  }

  @Test func aSnapshotThatLiesOrIsTooLargeIsRebuiltFromTheLog() throws {
    let damages: [(inout [UInt8]) -> Void] = [
      { $0[$0.count / 2] ^= 1 }, { $0 += [UInt8](repeating: 0, count: ProducerSnapshot.bytesMax) },
    ]
    for damage in damages {
      let disk = SimulatedDisk(seed: 5)
      let log = try Make.log(disk)
      for n in 0..<9 as Range<Int32> { try log.put(batch(n)) }
      log.close()
      let name = try #require(try disk.list("data/orders-0").first { $0.hasSuffix(".snapshot") })
      disk.damage("data/orders-0/\(name)", damage)
      let again = try Make.log(disk)
      #expect(try again.put(batch(4)).baseOffset == Offset(4))
      #expect(try code(again, batch(9)) == .none)
    }
  }

  @Test func aSilentProducerIsForgotten() throws {
    var settings = LogSettings()
    settings.producerExpiration = .milliseconds(500)
    let log = try Make.log(SimulatedDisk(seed: 6), settings)
    try log.put(batch(0, time: 1_000))
    log.expireProducers(now: Timestamp(milliseconds: 1_500))
    #expect(log.activeProducers.count == 1)
    log.expireProducers(now: Timestamp(milliseconds: 1_501))
    #expect(log.activeProducers.isEmpty)
    try takeUnknown(batch(7), log)
  }

  @Test func aSnapshotReadsBackAsItWasWritten() throws {
    var states = ProducerStates()
    for n in 0..<300 as Range<Int64> {
      // Every third one has several batches, up to more than are remembered.
      for turn in 0...(n % 3 == 0 ? n % 7 : 0) {
        _ = try batch(Int32(n + turn), epoch: Int16(n % 5), id: n).withUnsafeBytes {
          states.note(try RecordBatchHeader($0))
        }
      }
    }
    let bytes = ProducerSnapshot.encode(states)
    #expect(bytes.count <= ProducerSnapshot.bytesMax)
    #expect(ProducerSnapshot.decode(bytes)?.entries == states.entries)
    for cut in stride(from: 0, to: bytes.count, by: 97) {
      #expect(ProducerSnapshot.decode(Array(bytes.prefix(cut))) == nil)
    }
  }

  /// Kafka's own has an array of them, and nothing behind it.
  @Test func aSnapshotOfKafkaIsReadAsWell() throws {
    var states = ProducerStates()
    for n in 0..<2 as Range<Int32> {
      _ = try batch(n).withUnsafeBytes { states.note(try RecordBatchHeader($0)) }
    }
    let earlier = try #require(states.entries[4]?.batches.first)
    var known = ProducerStates()
    _ = try batch(1).withUnsafeBytes { known.note(try RecordBatchHeader($0)) }
    #expect(ProducerSnapshot.encode(known).count == 56)
    var read = try #require(ProducerSnapshot.decode(ProducerSnapshot.encode(known)))
    #expect(read.entries[4]?.batches.count == 1)
    let isKnown = read.restore(4, earlier: [earlier])
    #expect(isKnown && read.entries == states.entries)
    let isOtherKnown = read.restore(5, earlier: [earlier])
    #expect(!isOtherKnown)
  }

  /// A file that is larger than it may be is not believed.
  @Test func asManyProducersAsThereMayBeFitIntoASnapshot() throws {
    var states = ProducerStates()
    for n in 0..<9 as Range<Int32> { _ = try batch(n).withUnsafeBytes { states.note(try RecordBatchHeader($0)) } }
    let head = 14
    #expect(
      ProducerSnapshot.encode(states).count - head == (ProducerSnapshot.bytesMax - 64) / ProducerStates.producersMax)
  }

  @Test func transactionsOfALeaderAreFollowed() throws {
    let log = try Make.log(SimulatedDisk(seed: 7))
    let stamp = ProducerStamp(id: ProducerID(4), epoch: ProducerEpoch(1), baseSequence: 0)
    var data = Make.batch(
      ["t"], producer: stamp, attributes: RecordBatchAttributes(isTransactional: true), base: 10, epoch: 3)
    try log.put(data, .replica)
    #expect(log.activeProducers.first?.transactionStart == Offset(10))
    #expect(log.firstOpenTransaction == Offset(10))
    #expect(log.leaderEpochs.latest == LeaderEpoch(3))
    var marker = RecordBatchBuilder(
      attributes: RecordBatchAttributes(isTransactional: true, isControl: true),
      producer: ProducerStamp(id: ProducerID(4), epoch: ProducerEpoch(1), baseSequence: -1), baseOffset: Offset(11),
      leaderEpoch: LeaderEpoch(3))
    marker.append(timestamp: Timestamp(milliseconds: 1_001), key: [0, 0, 0, 1], value: [0, 0, 0, 0, 0, 7])
    data = marker.build()
    try log.put(data, .replica)
    #expect(log.activeProducers.first?.transactionStart == Offset.none)
    #expect(log.activeProducers.first?.coordinatorEpoch == 7)
    #expect(log.endOffset == Offset(12) && log.firstOpenTransaction == nil)
  }
}
