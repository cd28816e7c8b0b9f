import Vocabulary

/// The batches of an idempotent producer that has several of a partition on their way, each with the sequence that
/// follows: which of them are sent now, and what an answer changes.
///
/// What real clients do is simplified in one thing: never are more batches of a partition in question than the five that
/// a broker remembers. librdkafka can have a sixth in a race between two of its threads.
struct BrokerPipeline: Sendable {
  /// Of the clients there are, those that differ most.
  enum Manner: Sendable {
    /// As librdkafka: after a refusal it waits for all answers of the partition and sends again from the lowest batch on.
    /// But what a refused batch comes back from is another thread than the one that sends to a new leader, which may send
    /// what is newest first. Where a batch is out of order behind another one, all partitions begin a new epoch.
    case eager
    /// As the Java client: what was refused is sent again one by one, and what is out of order behind it as well.
    case careful
  }

  /// What became of a batch that was sent.
  enum Answer: Sendable { case stored, refused, outOfOrder }

  enum Consequence: Sendable, Equatable {
    case none
    /// What is not acknowledged is sent again in another epoch, stored or not.
    case endsEpoch
    /// All that belongs before the batch was acknowledged. A client reports it, and ends.
    case isLost
  }

  fileprivate enum Whereabouts: Sendable {
    case new
    case sent(to: Int32)
    /// Refused: whose turn it is does not see it before `from`, and nothing goes on behind it before `due`.
    case back(from: Int64, due: Int64)
  }

  struct Batch: Sendable {
    let values: [UInt64]
    fileprivate(set) var sequence: Int32
    fileprivate var whereabouts = Whereabouts.new

    fileprivate var isSent: Bool { if case .sent = whereabouts { true } else { false } }
  }

  private struct Lane: Sendable {
    /// What is not acknowledged, lowest first.
    var batches: [Batch] = []
    var nextSequence: Int32 = 0
    /// Nothing is sent before everything is answered.
    var drains = false
  }

  /// As many as a broker remembers.
  private static let windowMax = 5
  /// How many of a partition may wait to be sent besides.
  private static let waitingMax = 5

  let manner: Manner
  let producer: ProducerID
  private(set) var epoch: ProducerEpoch
  private var lanes: [BrokerKey: Lane] = [:]
  /// Everything is waited for, and then the next epoch begins.
  private var endsEpoch = false
  /// Batches that were sent while one that belongs before them was at another node, or was on its way back.
  private(set) var overtakings = 0

  init(_ manner: Manner, producer: ProducerID, epoch: ProducerEpoch) {
    self.manner = manner
    self.producer = producer
    self.epoch = epoch
  }

  /// The partitions of which something is not acknowledged.
  var busy: [BrokerKey] { lanes.filter { !$0.value.batches.isEmpty }.keys.sorted() }

  func takesMore(_ key: BrokerKey) -> Bool {
    lanes[key, default: Lane()].batches.count < Self.windowMax + Self.waitingMax
  }

  mutating func add(_ values: [UInt64], to key: BrokerKey) {
    var lane = lanes[key, default: Lane()]
    lane.batches.append(Batch(values: values, sequence: lane.nextSequence))
    lane.nextSequence += Int32(values.count)
    lanes[key] = lane
  }

  // MARK: Sending

  /// What is to be sent to the partition's leader now, in this order.
  mutating func due(_ key: BrokerKey, to node: Int32, at now: Int64) -> [Batch] {
    guard !endsEpoch, var lane = lanes[key] else { return [] }
    if lane.drains {
      guard !lane.batches.contains(where: \.isSent) else { return [] }
      lane.drains = false
    }
    var sent: [Batch] = []
    var isOvertaking = false
    walk: for index in lane.batches.indices.prefix(Self.windowMax) {
      switch lane.batches[index].whereabouts {
      case .sent(let other):
        if other != node { isOvertaking = true }
        continue
      case .back(let from, _) where from > now:
        isOvertaking = true
        continue
      case .back(_, let due):
        if due > now || (manner == .careful && index > 0) { break walk }
      case .new: break
      }
      if isOvertaking { overtakings += 1 }
      lane.batches[index].whereabouts = .sent(to: node)
      sent.append(lane.batches[index])
    }
    lanes[key] = lane
    return sent
  }

  // MARK: Answers

  /// - Parameters:
  ///   - first: the batch's first value.
  ///   - pause: how long a batch that was refused is on its way back.
  ///   - backoff: how long nothing behind it is sent again.
  mutating func answered(
    _ key: BrokerKey, _ first: UInt64, _ answer: Answer, at now: Int64, pause: Int64, backoff: Int64
  ) -> Consequence {
    guard var lane = lanes[key], let index = lane.batches.firstIndex(where: { $0.values.first == first }) else {
      return .none
    }
    defer { lanes[key] = lane }
    guard answer != .stored else {
      lane.batches.remove(at: index)
      return .none
    }
    let from = manner == .eager ? now + pause : now
    lane.batches[index].whereabouts = .back(from: from, due: from + backoff)
    lane.drains = manner == .eager
    guard answer == .outOfOrder else { return .none }
    if index == 0 { return .isLost }
    if manner == .careful { return .none }
    endsEpoch = true
    return .endsEpoch
  }

  /// Begins the next epoch where one is wanted and everything was answered: sequences begin at 0 everywhere. As librdkafka
  /// and the Java client without transactions do, without asking anybody.
  mutating func beginEpochIfDrained(at now: Int64) {
    guard endsEpoch else { return }
    for lane in lanes.values {
      for batch in lane.batches {
        if batch.isSent { return }
        if case .back(let from, _) = batch.whereabouts, from > now { return }
      }
    }
    endsEpoch = false
    epoch = ProducerEpoch(epoch.value + 1)
    for key in lanes.keys {
      guard var lane = lanes[key] else { continue }
      lane.nextSequence = 0
      lane.drains = false
      for index in lane.batches.indices {
        lane.batches[index].sequence = lane.nextSequence
        lane.nextSequence += Int32(lane.batches[index].values.count)
      }
      lanes[key] = lane
    }
  }
}
