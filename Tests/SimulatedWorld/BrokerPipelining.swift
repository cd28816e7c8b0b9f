import KafkaClient
import KafkaProtocol
import Vocabulary

/// Producers that have several batches of a partition on their way, as clients do: `BrokerPipeline` says which. They wait
/// for no answer before they do the next thing.
extension BrokerSimulation {
  /// One thing in so many is a burst of new batches.
  private static let oddsOfBurst = 3
  private static let burstMax = 5
  /// As `retry.backoff.ms`, more or less, in virtual microseconds.
  private static let backoff = 80 * BrokerStage.Spans.millisecond
  private static let backoffJitter = 40_000
  /// How long a batch that was refused is in nobody's queue, at most.
  private static let pauseMax = 20_000

  func pipeline(_ number: Int, _ model: inout Model) {
    if case .checking = model.phase { return again(number) }
    guard model.clients[number].pipeline != nil else { return startPipeline(number, model) }
    if stage.happens(oneIn: 12) || model.clients[number].leaders.isEmpty { learnMeanwhile(number, &model) }
    model.clients[number].pipeline?.beginEpochIfDrained(at: stage.now)
    if !model.isResting, stage.happens(oneIn: Self.oddsOfBurst) { addBurst(number, &model) }
    for key in model.clients[number].pipeline?.busy ?? [] { sendDue(key, number, &model) }
    again(number)
  }

  /// A producer asks for its id when it knows of something to write to.
  private func startPipeline(_ number: Int, _ model: Model) {
    guard let manner = model.clients[number].manner, !model.clients[number].led.isEmpty else { return refresh(number) }
    identify(number) { $2.clients[number].pipeline = BrokerPipeline(manner, producer: $0, epoch: $1) }
  }

  /// One question at a time.
  private func learnMeanwhile(_ number: Int, _ model: inout Model) {
    guard !model.clients[number].isLearning else { return }
    model.clients[number].isLearning = true
    learn(number) { $0.clients[number].isLearning = false }
  }

  private func addBurst(_ number: Int, _ model: inout Model) {
    guard let key = aim(number, model) else { return }
    for _ in 0...stage.draw(Self.burstMax) {
      guard let pipeline = model.clients[number].pipeline, pipeline.takesMore(key) else { return }
      let values = newValues(by: pipeline.producer, &model)
      model.clients[number].pipeline?.add(values, to: key)
    }
  }

  private func sendDue(_ key: BrokerKey, _ number: Int, _ model: inout Model) {
    // What is meant for a topic that seems to be gone waits for it, and holds up nothing else.
    guard let leader = model.clients[number].leaders[key], leader.node >= 0,
      var pipeline = model.clients[number].pipeline
    else { return }
    let before = pipeline.overtakings
    let batches = pipeline.due(key, to: leader.node, at: stage.now)
    model.seen.overtakings += pipeline.overtakings - before
    model.clients[number].pipeline = pipeline
    for batch in batches {
      let stamp = ProducerStamp(id: pipeline.producer, epoch: pipeline.epoch, baseSequence: batch.sequence)
      stage.note("client-\(number) sends \(batch.values) of \(key) as \(stamp.epoch.value)/\(stamp.baseSequence)")
      send(batch.values, to: key, as: stamp, at: leader.node, by: number) { result, model in
        self.answered(batch, of: key, number, result, &model)
      }
    }
  }

  private func answered(
    _ batch: BrokerPipeline.Batch, of key: BrokerKey, _ number: Int, _ result: Produced, _ model: inout Model
  ) {
    guard case .success(let answer) = result,
      let partition = answer.response.responses.first?.partitionResponses.first
    else {
      stage.note("client-\(number): nobody says what became of \(batch.values) of \(key)")
      model.seen.retries += 1
      learnMeanwhile(number, &model)
      return conclude(batch, of: key, number, .refused, &model)
    }
    switch partition.errorCode {
    case .none, .duplicateSequenceNumber:
      let base = partition.errorCode == .none ? partition.baseOffset : -1
      acknowledged(batch.values, of: key, at: base, by: number, &model)
      conclude(batch, of: key, number, .stored, &model)
    case .outOfOrderSequenceNumber:
      stage.note("client-\(number): \(key) says that \(batch.values) is out of order")
      conclude(batch, of: key, number, .outOfOrder, &model)
    case let code:
      refused(batch.values, of: key, with: code, by: number, &model)
      if !follow(partition.currentLeader, of: key, number, &model) { learnMeanwhile(number, &model) }
      conclude(batch, of: key, number, .refused, &model)
    }
  }

  private func conclude(
    _ batch: BrokerPipeline.Batch, of key: BrokerKey, _ number: Int, _ answer: BrokerPipeline.Answer,
    _ model: inout Model
  ) {
    guard let first = batch.values.first else { return }
    let pause = Int64(stage.draw(Self.pauseMax))
    let backoff = Self.backoff + Int64(stage.draw(Self.backoffJitter))
    let consequence = model.clients[number].pipeline?.answered(
      key, first, answer, at: stage.now, pause: pause, backoff: backoff)
    switch consequence {
    case nil, .some(.none): break
    case .endsEpoch:
      // What comes of it may be worse, and is seen first.
      model.newEpoch =
        model.newEpoch ?? "\(key): \(batch.values) was out of order behind what came later, though nothing is lost"
    case .isLost:
      stage.fail("\(key): \(batch.values) was out of order, though everything before it was acknowledged")
    }
  }

  /// What a refusal says of the leader (KIP-951); false where it says nothing new.
  private func follow(
    _ leader: ProduceResponse.LeaderIDAndEpoch, of key: BrokerKey, _ number: Int, _ model: inout Model
  ) -> Bool {
    guard leader.leaderID >= 0, var known = model.clients[number].leaders[key], known.epoch < leader.leaderEpoch else {
      return false
    }
    known.node = leader.leaderID
    known.epoch = leader.leaderEpoch
    model.clients[number].leaders[key] = known
    return true
  }

  /// Whether nobody has a batch of which it is not known what became of it. What is meant for topics that are gone aside.
  func areProducersDone(_ model: Model) -> Bool { model.clients.allSatisfy { undecided(of: $0).isEmpty } }

  /// The partitions that the client knows and has something for.
  func undecided(of client: BrokerClientState) -> [BrokerKey] {
    ((client.pipeline?.busy ?? []) + (client.attempt.map { [$0.key] } ?? [])).filter { client.leaders[$0] != nil }
  }
}
