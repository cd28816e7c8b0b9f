import Coordination
import Testing
import Vocabulary

/// A transaction coordinator on a virtual clock: performs its effects, keeps its answers, and holds every token to
/// exactly one.
final class TransactionBench {
  var coordinator: TransactionCoordinator
  private(set) var now = Instant(nanoseconds: 0)
  var answers: [Token: TransactionAnswer] = [:]
  var log: [TransactionRecord] = []
  var history: [TransactionEffect] = []
  var work: [MarkerWork] = []
  var allocations: [TransactionalID] = []
  /// Whether producer ids are given as soon as they are asked for.
  var allocates = true
  private var asked: Set<Token> = []
  private var lastToken: UInt64 = 0
  private var lastProducer: Int64 = 1000

  static let id = TransactionalID("transfers")
  static let orders = TopicPartition(TopicName("orders")!, PartitionIndex(0))
  static let stock = TopicPartition(TopicName("stock")!, PartitionIndex(3))

  init(_ settings: TransactionSettings = TransactionSettings()) {
    coordinator = TransactionCoordinator(settings: settings, epoch: LeaderEpoch(5))
    perform { $0.loaded(at: $1, into: &$2) }
  }

  var moment: Moment {
    Moment(instant: now, time: Timestamp(milliseconds: Bench.startOfTime + now.nanoseconds / 1_000_000))
  }

  func perform(_ turn: (inout TransactionCoordinator, Moment, inout [TransactionEffect]) -> Void) {
    var effects: [TransactionEffect] = []
    turn(&coordinator, moment, &effects)
    for effect in effects {
      history.append(effect)
      switch effect {
      case .append(let records): log += records
      case .answer(let token, let answer):
        if !asked.contains(token) { Issue.record("an answer to nobody") }
        if answers[token] != nil { Issue.record("a second answer") }
        answers[token] = answer
      case .allocateProducerID(let id):
        allocations.append(id)
        if allocates { allocated() }
      case .writeMarkers(let some): work.append(some)
      }
    }
  }

  /// Gives the oldest that waits a new producer id, or says that there is none.
  func allocated(none: Bool = false) {
    guard !allocations.isEmpty else { return }
    let id = allocations.removeFirst()
    if !none { lastProducer += 1 }
    let producer = none ? nil : ProducerID(lastProducer)
    perform { $0.producerIDAllocated(producer, for: id, at: $1, into: &$2) }
  }

  /// Lets time go by, stopping wherever the coordinator has something to do.
  func pass(_ span: TimeSpan) {
    let end = now + span
    while let next = coordinator.nextDeadline, next <= end {
      now = max(now, next)
      perform { $0.tick(at: $1, into: &$2) }
    }
    now = end
    perform { $0.tick(at: $1, into: &$2) }
  }

  /// Another coordinator, which knows what the log has.
  func reload(epoch: Int32 = 6, jumping jump: TimeSpan = .zero) {
    perform { coordinator, _, effects in coordinator.unload(as: .notCoordinator, into: &effects) }
    now = now + jump
    work = []
    coordinator = TransactionCoordinator(settings: coordinator.settings, epoch: LeaderEpoch(epoch))
    for record in log {
      var written = record
      written.value?.replaced = .none
      coordinator.replay(written)
    }
    perform { $0.loaded(at: $1, into: &$2) }
  }

  private func ask(
    _ work: (inout TransactionCoordinator, Token, Moment, inout [TransactionEffect]) -> Void
  ) -> Token {
    lastToken += 1
    let token = Token(lastToken)
    asked.insert(token)
    perform { work(&$0, token, $1, &$2) }
    return token
  }

  // MARK: Requests

  func begin(
    _ id: TransactionalID = TransactionBench.id, timeout: TimeSpan = .seconds(60), expected: ProducerIdentity? = nil,
    leastID: ProducerID = ProducerID(0)
  ) -> Token {
    let request = InitProducerRequest(id: id, timeout: timeout, expected: expected, leastID: leastID)
    return ask { $0.initProducer(request, $1, at: $2, into: &$3) }
  }

  func begun(_ token: Token) -> InitProducerAnswer? {
    guard case .initProducer(let answer) = answers[token] else { return nil }
    return answer
  }

  func start(
    _ id: TransactionalID = TransactionBench.id, timeout: TimeSpan = .seconds(60), expected: ProducerIdentity? = nil,
    leastID: ProducerID = ProducerID(0)
  ) -> InitProducerAnswer {
    begun(begin(id, timeout: timeout, expected: expected, leastID: leastID))
      ?? InitProducerAnswer(error: .unknownServerError)
  }

  func add(
    _ producer: ProducerIdentity, _ partitions: [TopicPartition] = [TransactionBench.orders],
    id: TransactionalID = TransactionBench.id
  ) -> ErrorCode? {
    let request = TransactionPartitionsRequest(id: id, producer: producer, partitions: partitions)
    guard case .addPartitions(let error) = answers[ask { $0.addPartitions(request, $1, at: $2, into: &$3) }] else {
      return nil
    }
    return error
  }

  func verify(
    _ producer: ProducerIdentity, _ partitions: [TopicPartition] = [TransactionBench.orders],
    id: TransactionalID = TransactionBench.id
  ) -> [ErrorCode]? {
    let request = TransactionPartitionsRequest(id: id, producer: producer, partitions: partitions)
    guard case .verify(let all) = answers[ask { c, token, _, effects in c.verify(request, token, into: &effects) }]
    else {
      return nil
    }
    return all.map(\.error)
  }

  func end(
    _ producer: ProducerIdentity, _ outcome: TransactionOutcome = .committed, id: TransactionalID = TransactionBench.id
  ) -> ErrorCode? {
    let request = EndTransactionRequest(id: id, producer: producer, outcome: outcome)
    guard case .end(let error) = answers[ask { $0.end(request, $1, at: $2, into: &$3) }] else { return nil }
    return error
  }

  func describe(_ id: TransactionalID = TransactionBench.id) -> TransactionDescription? {
    let token = ask { coordinator, token, _, effects in coordinator.describe([id], token, into: &effects) }
    guard case .describe(let all) = answers[token] else { return nil }
    return all.first
  }

  func list(_ filter: TransactionFilter = TransactionFilter()) -> [String] {
    guard case .list(let all) = answers[ask({ $0.list(filter, $1, at: $2, into: &$3) })] else { return [] }
    return all.map(\.id.text)
  }

  var state: TransactionState? {
    guard let description = describe(), description.error == .none else { return nil }
    return description.state
  }

  // MARK: Markers

  func tell(_ result: MarkerResult, for work: MarkerWork) {
    perform { $0.markersWritten(result, for: work, at: $1, into: &$2) }
  }

  /// Every marker that was asked for is written.
  func writeMarkers() {
    while !work.isEmpty {
      let next = work.removeFirst()
      tell(MarkerResult(written: next.partitions), for: next)
    }
  }

  /// A producer with an open transaction in two partitions.
  func open(timeout: TimeSpan = .seconds(60)) -> ProducerIdentity {
    let producer = start(timeout: timeout).producer
    #expect(add(producer, [Self.orders, Self.stock]) == ErrorCode.none)
    return producer
  }
}
