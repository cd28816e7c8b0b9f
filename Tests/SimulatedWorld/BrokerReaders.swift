import KafkaClient
import KafkaProtocol
import Vocabulary

/// Clients that read: records, the ends of partitions, and what a group has committed.
extension BrokerSimulation {
  private static let patience = TimeSpan.seconds(3)
  /// After it every node has heard of all that went on without it.
  private static let settling = 3 * BrokerStage.Spans.second
  private static let passing: Set<ErrorCode> = [
    .none, .notLeaderOrFollower, .unknownTopicOrPartition, .unknownTopicId, .inconsistentTopicId, .leaderNotAvailable,
    .kafkaStorageError, .fencedLeaderEpoch, .unknownLeaderEpoch, .offsetNotAvailable, .replicaNotAvailable,
  ]

  // MARK: Records

  func consume(_ number: Int, _ model: inout Model) {
    let keys = model.clients[number].led
    guard !keys.isEmpty else { return refresh(number) }
    var key = keys[stage.draw(keys.count)]
    var position = model.clients[number].positions[key, default: 0]
    var copy: BrokerCopy?
    if case .checking = model.phase {
      copy = unchecked(number, model)
      guard let copy else { return refresh(number) }
      key = copy.key
      position = model.checkedPositions[copy, default: 0]
    } else if stage.happens(oneIn: 5) {
      return findEnd(of: key, number, &model)
    }
    guard let leader = model.clients[number].leaders[key] else { return refresh(number) }
    let wait = Int32(stage.draw(400))
    let (asked, from, checked) = (key, position, copy)
    let request = FetchRequest { request in
      request.maxWaitMs = wait
      request.minBytes = 1
      request.topics = [
        .init {
          $0.topic = asked.name
          $0.topicID = asked.topic
          $0.partitions = [
            .init {
              $0.partition = asked.partition
              $0.currentLeaderEpoch = leader.epoch
              $0.fetchOffset = from
              $0.partitionMaxBytes = 1 << 20
            }
          ]
        }
      ]
    }
    clients[number].ask(request, of: copy?.node ?? leader.node, within: Self.patience) { result in
      self.post { model in
        guard case .success(let answer) = result else { return self.refresh(number) }
        self.fetched(number, asked, from, answer, checked, &model)
      }
    }
  }

  /// What is to be read next when everything is looked at: every in-sync copy of every partition, the leader's first.
  func unchecked(_ number: Int, _ model: Model) -> BrokerCopy? {
    for key in model.clients[number].led {
      guard let leader = model.clients[number].leaders[key] else { continue }
      for node in [leader.node] + leader.inSync {
        let copy = BrokerCopy(key: key, node: node)
        if !model.checked.contains(copy) { return copy }
      }
    }
    return nil
  }

  private func fetched(
    _ number: Int, _ key: BrokerKey, _ from: Int64, _ answer: PeerAnswer<FetchResponse>, _ copy: BrokerCopy?,
    _ model: inout Model
  ) {
    guard let partition = answer.response.responses.first?.partitions.first else { return refresh(number) }
    if !Self.passing.contains(partition.errorCode) {
      stage.fail(
        "a fetch of \(key) from offset \(from), up to which it was read, was answered with \(partition.errorCode)")
    }
    guard partition.errorCode == .none else { return refresh(number) }
    let (records, end) = read(partition, answer, from: from)
    model.seen.read += records.count
    for record in records {
      if let broken = model.promises.see(key, record.offset, record.value, writtenIn: record.epoch) {
        stage.fail(broken)
      }
    }
    // A leader that does not know yet how far its predecessor had come says −1 (KIP-207).
    if partition.highWatermark >= 0, end > max(from, partition.highWatermark) {
      stage.fail("\(key): offset \(end - 1) was answered, above the high watermark \(partition.highWatermark)")
    }
    guard let copy else {
      model.clients[number].positions[key] = end
      return again(number)
    }
    for record in records { model.found[copy, default: [:]][record.offset] = record.value }
    model.checkedPositions[copy] = end
    // A follower hears of the high watermark a little later.
    if records.isEmpty, partition.highWatermark >= 0, end >= max(partition.highWatermark, model.checkedEnds[key] ?? 0) {
      if let broken = model.promises.missing(key, model.found[copy, default: [:]], upTo: end) { stage.fail(broken) }
      if let broken = model.promises.disorder(in: key, model.found[copy, default: [:]]) { stage.fail(broken) }
      model.checkedEnds[key] = max(end, model.checkedEnds[key] ?? 0)
      model.checked.insert(copy)
    }
    again(number)
  }

  /// The records in an answer, and the offset behind them.
  private func read(
    _ partition: FetchResponse.Partition, _ answer: PeerAnswer<FetchResponse>, from: Int64
  ) -> (records: [BrokerRecord], end: Int64) {
    guard case .inFrame(let range) = partition.records else { return ([], from) }
    var records: [BrokerRecord] = []
    var end = from
    answer.frame.withUnsafeBytes { raw in
      let body = UnsafeRawBufferPointer(rebasing: raw[answer.bodyStart...])
      var batches = RecordBatchCursor(UnsafeRawBufferPointer(rebasing: body[range]))
      do {
        while let batch = try batches.next() {
          guard batch.isChecksumValid else { throw RecordBatchError.wrongChecksum }
          var cursor = RecordCursor(body: batch.body, header: batch.header)
          while let record = try cursor.next() {
            guard record.offset.value >= from, let value = record.value else { continue }
            guard let number = UInt64(String(decoding: value, as: UTF8.self)) else {
              stage.fail("a record at offset \(record.offset.value) was never sent")
              continue
            }
            records.append(
              BrokerRecord(
                offset: record.offset.value, value: number, epoch: batch.header.partitionLeaderEpoch.value))
          }
          end = max(end, batch.header.nextOffset.value)
        }
      } catch {
        stage.fail("an answer to a fetch from offset \(from) cannot be read: \(error)")
      }
    }
    return (records, end)
  }

  /// What a client was told that a partition's end is never goes back, since what it was told of can be read.
  private func findEnd(of key: BrokerKey, _ number: Int, _ model: inout Model) {
    guard let leader = model.clients[number].leaders[key] else { return refresh(number) }
    let request = ListOffsetsRequest { request in
      request.replicaID = -1
      request.topics = [
        .init {
          $0.name = key.name
          $0.partitions = [
            .init {
              $0.partitionIndex = key.partition
              $0.currentLeaderEpoch = leader.epoch
              $0.timestamp = -1
            }
          ]
        }
      ]
    }
    clients[number].ask(request, of: leader.node, within: Self.patience) { result in
      self.post { model in
        guard case .success(let answer) = result, let partition = answer.response.topics.first?.partitions.first
        else { return self.refresh(number) }
        guard partition.errorCode == .none else { return self.refresh(number) }
        let before = model.clients[number].ends[key, default: 0]
        // The request has the topic's name alone: another topic may have it by now.
        if partition.offset < before, model.created[key.topic] != nil {
          self.stage.fail("\(key): the end was \(before) and is \(partition.offset)")
        }
        model.clients[number].ends[key] = max(before, partition.offset)
        self.again(number)
      }
    }
  }

  // MARK: Offsets

  func commit(_ number: Int, _ model: inout Model) {
    guard let coordinator = model.clients[number].coordinator else { return findCoordinator(number, &model) }
    switch model.phase {
    case .troubled, .done: break
    case .healing where model.hasReadOffsets: break
    case .healing:
      // What was kept last is looked at before anything is kept on top of it, once no coordinator can be left that does
      // not know of its successor.
      guard stage.now >= model.mendedAt + Self.settling else { return again(number) }
      return fetchOffsets(number, coordinator, &model)
    case .checking: return fetchOffsets(number, coordinator, &model)
    }
    // Offsets of a topic go with it.
    let keys = model.clients[number].led.filter { model.created[$0.topic] != nil }
    guard !keys.isEmpty else { return refresh(number) }
    let key = keys[stage.draw(keys.count)]
    let offset = (model.promises.asked[key]?.max() ?? 0) + 1
    model.promises.asked[key, default: []].insert(offset)
    let request = OffsetCommitRequest { request in
      request.groupID = model.clients[number].group
      request.topics = [
        .init {
          $0.name = key.name
          $0.topicID = key.topic
          $0.partitions = [
            .init {
              $0.partitionIndex = key.partition
              $0.committedOffset = offset
            }
          ]
        }
      ]
    }
    clients[number].ask(request, of: coordinator, within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result,
          answer.response.topics.first?.partitions.first?.errorCode == ErrorCode.none
        {
          self.stage.note("client-\(number): offset \(offset) of \(key) is committed")
          model.promises.kept[key] = max(offset, model.promises.kept[key] ?? 0)
          model.seen.committed += 1
          if case .healing = model.phase { model.keepsOffsetsAgain = true }
        } else {
          model.clients[number].coordinator = nil
        }
        self.again(number)
      }
    }
  }

  private func findCoordinator(_ number: Int, _ model: inout Model) {
    let group = model.clients[number].group
    let request = FindCoordinatorRequest {
      $0.key = group
      $0.coordinatorKeys = [group]
    }
    clients[number].ask(request, of: anyNode, within: Self.patience) { result in
      self.post { model in
        if case .success(let answer) = result, let found = answer.response.coordinators.first,
          found.errorCode == .none, found.nodeID >= 0
        {
          model.clients[number].coordinator = found.nodeID
        }
        self.again(number)
      }
    }
  }

  private func fetchOffsets(_ number: Int, _ coordinator: Int32, _ model: inout Model) {
    let keys = model.promises.kept.keys.filter { model.created[$0.topic] != nil }.sorted()
    guard !keys.isEmpty else {
      haveReadOffsets(&model)
      return again(number)
    }
    let group = model.clients[number].group
    let request = OffsetFetchRequest { request in
      request.groups = [
        .init {
          $0.groupID = group
          $0.topics = keys.map { key in
            .init {
              $0.name = key.name
              $0.topicID = key.topic
              $0.partitionIndexes = [key.partition]
            }
          }
        }
      ]
    }
    clients[number].ask(request, of: coordinator, within: Self.patience) { result in
      self.post { model in
        defer { self.again(number) }
        guard case .success(let answer) = result, let group = answer.response.groups.first, group.errorCode == .none
        else {
          model.clients[number].coordinator = nil
          return
        }
        for key in keys { self.check(key, group, &model) }
        self.haveReadOffsets(&model)
      }
    }
  }

  private func haveReadOffsets(_ model: inout Model) {
    model.hasReadOffsets = true
    if case .checking = model.phase { model.checkedOffsets = true }
  }

  private func check(_ key: BrokerKey, _ group: OffsetFetchResponse.Group, _ model: inout Model) {
    let found = group.topics.filter { $0.topicID == key.topic || $0.name == key.name }.flatMap(\.partitions)
      .first { $0.partitionIndex == key.partition }
    guard let found, found.errorCode == .none else {
      return stage.fail(
        "the group's offset of \(key) was answered with \(found.map { "\($0.errorCode)" } ?? "nothing")")
    }
    guard let kept = model.promises.kept[key] else { return }
    guard found.committedOffset >= kept, model.promises.asked[key, default: []].contains(found.committedOffset) else {
      return stage.fail("the group's offset of \(key) is \(found.committedOffset), and \(kept) was committed")
    }
  }
}
