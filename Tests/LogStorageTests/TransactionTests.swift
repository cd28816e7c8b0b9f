import KafkaProtocol
import SimulatedWorld
import Synchronization
import Testing
import Vocabulary

@testable import LogStorage

@Suite struct TransactionTests {
  private let disk = SimulatedDisk(seed: 1)

  private var indexes: [String] {
    disk.peekNames(in: "data/orders-0").filter { $0.hasSuffix(".txnindex") }.sorted()
  }

  private func small(_ bytes: Int = 400) -> LogSettings {
    var settings = LogSettings()
    settings.segmentBytes = ByteCount(bytes)
    return settings
  }

  @Test func aMarkerHasTheBytesOfKafka() throws {
    let bytes = Make.marker(committed: true, of: 0x0102, epoch: 3, coordinator: 0x0a0b0c)
    try bytes.withUnsafeBytes { raw in
      let batch = try RecordBatch(raw)
      #expect(batch.isChecksumValid && batch.header.attributes.bits == 0x30 && batch.header.recordsCount == 1)
      #expect(batch.header.producerID == ProducerID(0x0102) && batch.header.producerEpoch == ProducerEpoch(3))
      #expect(batch.header.baseSequence == -1 && batch.header.maxTimestamp.milliseconds == 1_500)
      var records = batch.records
      let record = try #require(try records.next())
      #expect(record.key.map { Array($0) } == [0, 0, 0, 1])
      #expect(record.value.map { Array($0) } == [0, 0, 0, 0x0a, 0x0b, 0x0c])
    }
    let abort = Make.marker(committed: false, of: 1)
    try abort.withUnsafeBytes { raw in
      var records = try RecordBatch(raw).records
      #expect(try records.next()?.key.map { Array($0) } == [0, 0, 0, 0])
    }
  }

  // MARK: Tickets

  @Test func aTransactionOpensOnlyWithATicket() throws {
    let log = try Make.log(disk)
    let first = Make.transactional(["a"], by: 4)
    #expect(try log.code(first) == .invalidTxnState)
    let ticket = try #require(log.ticket(of: 4))
    #expect(log.ticket(of: 4) == ticket, "batches that wait at once have one ticket")
    #expect(try log.code(Make.transactional(["a"], by: 5), verified: ticket) == .invalidTxnState)
    #expect(try log.code(Make.transactional(["a"], by: 4, epoch: 1), verified: ticket) == .invalidTxnState)
    #expect(try log.code(first, verified: ticket) == .none)
    #expect(log.standing(of: 4) == .ongoing)
    #expect(try log.code(Make.transactional(["b"], by: 4, from: 1)) == .none)
    #expect(try log.put(first).isDuplicate)
    #expect(log.firstOpenTransaction == .zero && log.endOffset == Offset(2))
  }

  @Test func aTicketIsVoidAfterAMarkerATruncationAnotherEpochOrALongTime() throws {
    let log = try Make.log(disk)
    try log.put(Make.batch(["plain"]))
    let batch = Make.transactional(["a"], by: 4)
    var ticket = log.ticket(of: 4)
    try log.end(4, committed: false)
    #expect(try log.code(batch, verified: ticket) == .invalidTxnState)
    ticket = log.ticket(of: 4)
    try log.truncate(to: Offset(1))
    #expect(try log.code(batch, verified: ticket) == .invalidTxnState)
    ticket = log.ticket(of: 4)
    #expect(try log.code(batch, epoch: 2, verified: ticket) == .invalidTxnState)
    #expect(log.ticket(of: 4, in: 2) != ticket)
    ticket = log.ticket(of: 4)
    for _ in 0..<2 { log.expireProducers(now: Timestamp(milliseconds: 1_000)) }
    #expect(try log.code(batch, verified: ticket) == .invalidTxnState)
    #expect(try log.code(batch, verified: log.ticket(of: 4)) == .none)
  }

  @Test func theAnswerAboutAnEarlierTransactionOpensNoLaterOne() throws {
    let log = try Make.log(disk)
    let early = log.ticket(of: 4)
    try log.write(["a"], by: 4)
    try log.end(4, committed: true)
    #expect(try log.code(Make.transactional(["b"], by: 4, from: 1), verified: early) == .invalidTxnState)
    let late = log.ticket(of: 4, from: 1)
    #expect(late != early)
    #expect(try log.code(Make.transactional(["b"], by: 4, from: 1), verified: early) == .invalidTxnState)
    #expect(try log.code(Make.transactional(["b"], by: 4, from: 1), verified: late) == .none)
  }

  @Test func aBatchDoesNotOvertakeAnEarlierOneThatIsStillAskedAbout() throws {
    let log = try Make.log(disk)
    let ticket = log.ticket(of: 4, from: 0)
    #expect(log.ticket(of: 4, from: 1) == ticket)
    #expect(try log.code(Make.transactional(["b"], by: 4, from: 1), verified: ticket) == .notLeaderOrFollower)
    #expect(try log.code(Make.transactional(["a"], by: 4, from: 0), verified: ticket) == .none)
    #expect(try log.code(Make.transactional(["b"], by: 4, from: 1), verified: ticket) == .none)
  }

  /// Its sequences go on across transactions, also where they were forgotten meanwhile.
  @Test func anUnknownProducersTransactionIsTakenInItsOrder() throws {
    let log = try Make.log(disk)
    let ticket = log.ticket(of: 4, from: 500)
    for _ in 0..<EarlyBatches.timesMaxOfUnknown {
      #expect(try log.code(Make.transactional(["a"], by: 4, from: 500), verified: ticket) == .notLeaderOrFollower)
      #expect(try log.code(Make.transactional(["b"], by: 4, from: 501), verified: ticket) == .notLeaderOrFollower)
    }
    #expect(try log.code(Make.transactional(["a"], by: 4, from: 500), verified: ticket) == .none)
    #expect(try log.code(Make.transactional(["b"], by: 4, from: 501)) == .none)
  }

  @Test func anOlderEpochGetsNoTicketWhileANewerOneIsAskedAbout() throws {
    let log = try Make.log(disk)
    let newer = log.ticket(of: 4, epoch: 1)
    let older = log.ticket(of: 4, epoch: 0)
    #expect(try log.code(Make.transactional(["z"], by: 4, epoch: 0), verified: older) == .invalidTxnState)
    #expect(try log.code(Make.transactional(["a"], by: 4, epoch: 1), verified: newer) == .none)
  }

  @Test func ticketsAreBounded() {
    var tickets = VerificationTickets()
    for id in 0..<Int64(VerificationTickets.countMax * 3) {
      _ = tickets.issue(id, 0, from: 0, in: LeaderEpoch(1))
      #expect(tickets.count <= VerificationTickets.countMax)
    }
    let last = tickets.issue(-1, 0, from: 7, in: LeaderEpoch(1))
    #expect(tickets.lowestSequence(last, of: -1, 0, in: LeaderEpoch(1)) == 7)
  }

  // MARK: Refusals

  @Test func aProducerWithAnOpenTransactionWritesNothingBesideIt() throws {
    let log = try Make.log(disk)
    try log.write(["a"], by: 4)
    let plain = Make.batch(
      ["b"], producer: ProducerStamp(id: ProducerID(4), epoch: ProducerEpoch(0), baseSequence: 1))
    #expect(try log.code(plain) == .invalidTxnState)
    try log.end(4, committed: true)
    #expect(try log.code(plain) == .none)
  }

  @Test func aMarkerOfAnOlderProducerOrCoordinatorIsRefused() throws {
    let log = try Make.log(disk)
    try log.write(["a"], by: 4, epoch: 2)
    #expect(
      try log.code(Make.marker(committed: false, of: 4, epoch: 1, coordinator: 9), .coordinator)
        == .invalidProducerEpoch)
    #expect(log.firstOpenTransaction == .zero)
    try log.end(4, committed: false, epoch: 3, coordinator: 5)
    #expect(log.firstOpenTransaction == nil)
    #expect(
      try log.code(Make.marker(committed: false, of: 4, epoch: 3, coordinator: 4), .coordinator)
        == .transactionCoordinatorFenced)
    #expect(try log.code(Make.transactional(["z"], by: 4, epoch: 2, from: 1)) == .invalidProducerEpoch)
    #expect(try log.code(Make.marker(committed: true, of: 4, epoch: 3, coordinator: 5), .coordinator) == .none)
    // A marker alone tells the epoch.
    try log.end(8, committed: false, epoch: 6)
    #expect(
      try log.code(Make.transactional(["a"], by: 8, epoch: 5), verified: log.ticket(of: 8, epoch: 5))
        == .invalidProducerEpoch)
    #expect(indexes.count == 1)
  }

  @Test func onlyACoordinatorWritesMarkers() throws {
    let log = try Make.log(disk)
    #expect(try log.code(Make.marker(committed: true, of: 4)) == .invalidRecord)
    var other = RecordBatchBuilder(attributes: RecordBatchAttributes(isControl: true))
    other.append(timestamp: Timestamp(milliseconds: 0), key: [0, 0, 0, 9], value: [0, 0])
    #expect(try log.code(other.build(), .coordinator) == .invalidRecord)
  }

  @Test func aCoordinatorsRecordsNeedNeitherSequenceNorTicket() throws {
    let log = try Make.log(disk)
    for _ in 0..<3 { try log.put(Make.transactional(["offset"], by: 4, from: -1), .coordinator) }
    #expect(try log.code(Make.transactional(["offset"], by: 4, from: -1)) == .invalidRecord)
    #expect(log.endOffset == Offset(3) && log.firstOpenTransaction == .zero)
    #expect(log.activeProducers.first?.lastSequence == -1)
  }

  // MARK: The last stable offset

  @Test func theLastStableOffsetWaitsForTheMarkerToBeCommitted() throws {
    let log = try Make.log(disk)
    try log.put(Make.batch(["plain"]))
    try log.write(["a"], by: 4)
    try log.write(["b"], by: 5)
    try log.put(Make.batch(["plain"]))
    #expect(log.lastStableOffset(below: Offset(4)) == Offset(1))
    #expect(log.lastStableOffset(below: Offset(1)) == Offset(1) && log.lastStableOffset(below: .zero) == .zero)
    try log.end(4, committed: true)
    #expect(log.firstOpenTransaction == Offset(2))
    #expect(log.lastStableOffset(below: Offset(4)) == Offset(1), "the marker at 4 is not committed yet")
    #expect(log.lastStableOffset(below: Offset(5)) == Offset(2))
    try log.end(5, committed: false)
    #expect(log.lastStableOffset(below: Offset(5)) == Offset(2))
    #expect(log.lastStableOffset(below: Offset(6)) == Offset(6))
    let isUnstable = log.isUnstable.load(ordering: .relaxed)
    #expect(!isUnstable, "nothing is left to think of")
  }

  @Test func theLastStableOffsetIsNeverBelowTheLogsStart() throws {
    let log = try Make.log(disk)
    try log.write(["a", "b"], by: 4)
    for _ in 0..<4 { try log.put(Make.batch(["plain"])) }
    _ = try log.deleteRecords(before: Offset(3))
    #expect(log.lastStableOffset(below: Offset(6)) == Offset(3))
  }

  @Test func moreEndedTransactionsThanAreRememberedAreToldLateAndNeverEarly() throws {
    var transactions = OpenTransactions()
    let count = Int64(OpenTransactions.endedMax * 3)
    for n in 0..<count {
      transactions.begin(at: n * 2)
      transactions.end(n * 2, marker: n * 2 + 1)
      #expect(transactions.ended.count <= OpenTransactions.endedMax)
    }
    for highWatermark in stride(from: 0, through: count * 2, by: 97) {
      transactions.settle(below: highWatermark)
      let exact = highWatermark / 2 * 2
      let told = transactions.first ?? count * 2
      #expect(told <= exact && told >= exact - 128)
    }
  }

  // MARK: What was taken back

  @Test func aSegmentWithoutAbortedTransactionsHasNoIndexOfThem() throws {
    let log = try Make.log(disk)
    try log.write(["a"], by: 4)
    try log.end(4, committed: true)
    try log.end(4, committed: false)
    try log.put(Make.batch(["plain"]))
    #expect(indexes.isEmpty)
    try log.write(["a"], by: 5)
    try log.end(5, committed: false)
    #expect(indexes == ["00000000000000000000.txnindex"])
    let expected: [UInt8] =
      [0, 0] + [0, 0, 0, 0, 0, 0, 0, 5] + [0, 0, 0, 0, 0, 0, 0, 4] + [0, 0, 0, 0, 0, 0, 0, 5]
      + [0, 0, 0, 0, 0, 0, 0, 6]
    #expect(disk.peek("data/orders-0/00000000000000000000.txnindex") == expected)
  }

  @Test func batchesOfALeaderTellTheSame() throws {
    let leader = try Make.log(disk, small())
    let copy = try Make.log(disk, small(700), directory: "data/copy-0")
    for n in 0..<12 as Range<Int64> {
      try leader.write(["v\(n)"], by: n % 3, from: Int32(n / 3 * 2))
      try leader.write(["w\(n)"], by: n % 3, from: Int32(n / 3 * 2 + 1))
      if n > 0 { try leader.end((n - 1) % 3, committed: n % 2 == 0) }
    }
    var at = Offset.zero
    while case .slice(let slice) = try leader.read(from: at, maxBytes: 600, upTo: leader.endOffset, minimum: .oneBatch)
    {
      at = try copy.put(slice.bytes(), .replica).endOffset
    }
    #expect(copy.endOffset == leader.endOffset && copy.firstOpenTransaction == leader.firstOpenTransaction)
    let all = try leader.abortedTransactions(from: .zero, to: leader.endOffset)
    #expect(all.count == 6)
    #expect(try copy.abortedTransactions(from: .zero, to: leader.endOffset) == all)
    copy.close()
    let again = try Make.log(disk, small(700), directory: "data/copy-0")
    #expect(try again.abortedTransactions(from: .zero, to: leader.endOffset) == all)
  }

  @Test func aReaderAtTheEndNeedsNoDiskForWhatWasTakenBack() throws {
    let log = try Make.log(disk, small(100_000))
    for n in 0..<Int32(RecentAborted.countMax * 2) {
      try log.write(["v"], by: 4, from: n)
      try log.end(4, committed: false)
    }
    let end = log.endOffset
    #expect(log.isAtTail(Offset(end.value - 10), committedOnly: true))
    let reads = disk.reads
    #expect(try log.abortedTransactions(from: Offset(end.value - 10), to: end).count == 5)
    #expect(disk.reads == reads)
    #expect(try log.abortedTransactions(from: .zero, to: end).count == RecentAborted.countMax * 2)
    #expect(disk.reads > reads)
    log.close()
    let again = try Make.log(disk, small(100_000))
    #expect(!again.isAtTail(Offset(end.value - 2), committedOnly: true), "what a start does not read is on disk")
    #expect(try again.abortedTransactions(from: Offset(end.value - 10), to: end).count == 5)
  }

  @Test func anIndexThatIsTornMissingOrDamagedIsMadeAnew() throws {
    for harm in 0..<3 {
      let disk = SimulatedDisk(seed: UInt64(harm))
      let log = try Make.log(disk, small())
      for n in 0..<12 as Range<Int32> {
        try log.write(["v\(n)"], by: 4, from: n)
        try log.end(4, committed: n % 3 == 0)
      }
      try log.write(["open"], by: 5)
      try log.flush()
      let all = try log.abortedTransactions(from: .zero, to: log.endOffset)
      log.close()
      let names = disk.peekNames(in: "data/orders-0").filter { $0.hasSuffix(".txnindex") }.sorted()
      #expect(all.count == 8 && names.count > 3)
      let first = "data/orders-0/\(names[1])"
      switch harm {
      case 0: disk.damage(first) { $0.removeLast(7) }
      case 1: disk.damage(first) { $0[$0.count - 10] ^= 0x40 }
      default:
        try disk.unlink(first)
        try disk.unlink(String(first.dropLast(8)) + "index")
      }
      let again = try Make.log(
        disk, small(), recovery: harm == 2 ? .afterCrash(recoveryPoint: log.endOffset) : .clean)
      #expect(try again.abortedTransactions(from: .zero, to: again.endOffset) == all, "harm \(harm)")
      #expect(again.firstOpenTransaction == Offset(24))
    }
  }

  @Test func anIndexThatTurnsOutToBeDamagedIsMadeAnewFromTheLog() throws {
    let log = try Make.log(disk, small(100_000))
    for n in 0..<Int32(RecentAborted.countMax + 20) {
      try log.write(["v\(n)"], by: 4, from: n)
      try log.end(4, committed: false)
    }
    let all = try log.abortedTransactions(from: .zero, to: log.endOffset)
    disk.damage("data/orders-0/\(indexes[0])") { $0[100] ^= 0x40 }
    #expect(try log.abortedTransactions(from: .zero, to: log.endOffset) == all)
    try log.write(["more"], by: 4, from: Int32(RecentAborted.countMax + 20))
    try log.end(4, committed: false)
    #expect(try log.abortedTransactions(from: .zero, to: log.endOffset).dropLast() == all[...])
    #expect(disk.peek("data/orders-0/\(indexes[0])").flatMap(TransactionIndexFiles.decode)?.count == all.count + 1)
  }

  // MARK: Producers

  @Test(arguments: [true, false])
  func anOpenTransactionSurvivesARestart(isClean: Bool) throws {
    let log = try Make.log(disk, small())
    try log.write(["a"], by: 4, from: 0)
    for n in 0..<20 { try log.put(Make.batch(["plain \(n)"])) }
    try log.flush()
    if isClean { log.close() } else { log.abandon() }
    let again = try Make.log(disk, small(), recovery: isClean ? .clean : .afterCrash(recoveryPoint: log.syncedOffset))
    #expect(again.segmentCount > 3 && again.firstOpenTransaction == .zero)
    #expect(again.lastStableOffset(below: again.endOffset) == .zero)
    #expect(again.standing(of: 4) == .ongoing)
    try again.end(4, committed: false)
    #expect(try again.abortedTransactions(from: .zero, to: Offset(1)).map(\.firstOffset) == [.zero])
  }

  @Test func aProducerWithAnOpenTransactionIsNeverForgotten() throws {
    var settings = LogSettings()
    settings.producerExpiration = .milliseconds(1)
    let log = try Make.log(disk, settings)
    try log.write(["a"], by: 4)
    log.expireProducers(now: Timestamp(milliseconds: 1_000_000))
    #expect(log.activeProducers.map(\.transactionStart) == [.zero])
    var states = ProducerStates()
    let open = Make.transactional(["a"], by: 1)
    _ = try open.withUnsafeBytes { states.note(try RecordBatchHeader($0)) }
    let template = Make.batch(
      ["b"], at: 9_000, producer: ProducerStamp(id: ProducerID(0), epoch: ProducerEpoch(0), baseSequence: 0))
    for id in 2..<Int64(ProducerStates.producersMax + 10) {
      var bytes = template
      bytes.withUnsafeMutableBytes { raw in
        raw.storeBytes(of: id.bigEndian, toByteOffset: 43, as: Int64.self)
      }
      _ = try bytes.withUnsafeBytes { states.note(try RecordBatchHeader($0)) }
    }
    #expect(states.entries.count < ProducerStates.producersMax && states.entries[1]?.transactionStart == 0)
  }
}
