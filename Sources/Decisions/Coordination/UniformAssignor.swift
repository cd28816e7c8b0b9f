import Vocabulary

// The uniform assignor: numbers of partitions differ as little as subscriptions allow, and as few partitions as
// possible change hands.

extension Assignor {
  /// All members subscribe to the same topics: everyone gets an equal share, and the remainder goes to those who own
  /// the most already.
  static func uniformOverSameTopics(
    _ members: [AssignorMember], _ topics: Set<UniqueID>, _ partitions: [UniqueID: Int32]
  ) -> [MemberID: Assignment] {
    var work = UniformWork(members, partitions)
    guard !members.isEmpty else { return [:] }
    let total = topics.reduce(0) { $0 + Int(partitions[$1] ?? 0) }
    let (share, extra) = total.quotientAndRemainder(dividingBy: members.count)
    let order = work.kept.indices.sorted { (-work.kept[$0].count, $0) < (-work.kept[$1].count, $1) }
    var quota = Array(repeating: share, count: members.count)
    for index in order.prefix(extra) { quota[index] += 1 }
    for index in order {
      while work.kept[index].count > quota[index] { work.free.append(work.kept[index].removeLast()) }
    }
    // One to each in turn, so that a topic's partitions spread over members.
    var next = 0
    for partition in work.free.sorted() {
      while work.kept[order[next]].count >= quota[order[next]] { next = (next + 1) % order.count }
      work.kept[order[next]].append(partition)
      next = (next + 1) % order.count
    }
    return work.result
  }

  /// Members subscribe to different topics: free partitions go to the least loaded of their subscribers, then single
  /// partitions move from a more to a less loaded subscriber while that makes the two more equal. Every move lessens
  /// the sum of squares of the loads, so that this ends.
  static func uniformOverDifferentTopics(
    _ members: [AssignorMember], _ partitions: [UniqueID: Int32]
  ) -> [MemberID: Assignment] {
    var work = UniformWork(members, partitions)
    let subscribers = partitions.keys.sorted().map { topic in
      (topic: topic, members: members.indices.filter { members[$0].topics.contains(topic) })
    }.filter { !$0.members.isEmpty }
    let choices = Dictionary(uniqueKeysWithValues: subscribers.map { ($0.topic, $0.members) })
    // Those with the fewest possible owners first, while there is room with them.
    let free = work.free.sorted { a, b in
      (choices[a.topic, default: []].count, a) < (choices[b.topic, default: []].count, b)
    }
    for partition in free {
      guard let least = work.leastLoaded(of: choices[partition.topic, default: []]) else { continue }
      work.kept[least].append(partition)
    }
    var moved = true
    while moved {
      moved = false
      for (topic, members) in subscribers {
        while work.moveOne(of: topic, among: members) { moved = true }
      }
    }
    return work.result
  }
}

/// Partitions on their way to members, who are numbers here.
private struct UniformWork {
  let members: [AssignorMember]
  var kept: [[TopicIDPartition]]
  /// Owned by nobody yet.
  var free: [TopicIDPartition] = []

  /// Everyone keeps what it had, as far as it exists, is subscribed to, and nobody before it has it.
  init(_ members: [AssignorMember], _ partitions: [UniqueID: Int32]) {
    self.members = members
    var taken: Set<TopicIDPartition> = []
    kept = members.map { member in
      member.before.sorted.filter { partition in
        member.topics.contains(partition.topic) && partition.partition.value < partitions[partition.topic] ?? 0
          && taken.insert(partition).inserted
      }
    }
    for topic in members.reduce(into: Set<UniqueID>(), { $0.formUnion($1.topics) }) {
      for number in 0..<max(partitions[topic] ?? 0, 0) {
        let partition = TopicIDPartition(topic, PartitionIndex(number))
        if !taken.contains(partition) { free.append(partition) }
      }
    }
  }

  func leastLoaded(of some: [Int]) -> Int? { some.min { (kept[$0].count, $0) < (kept[$1].count, $1) } }

  mutating func moveOne(of topic: UniqueID, among some: [Int]) -> Bool {
    let owners = some.filter { kept[$0].contains { $0.topic == topic } }
    guard let least = leastLoaded(of: some),
      let most = owners.max(by: { (kept[$0].count, $1) < (kept[$1].count, $0) }),
      kept[most].count > kept[least].count + 1,
      let index = kept[most].lastIndex(where: { $0.topic == topic })
    else { return false }
    kept[least].append(kept[most].remove(at: index))
    return true
  }

  var result: [MemberID: Assignment] {
    Dictionary(uniqueKeysWithValues: zip(members, kept).map { ($0.id, Assignment($1)) })
  }
}
