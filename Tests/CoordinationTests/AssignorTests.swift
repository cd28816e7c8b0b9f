import Coordination
import Testing
import Vocabulary

@Suite struct AssignorTests {
  static func topic(_ number: UInt64) -> UniqueID { UniqueID(high: 1, low: number) }
  static func member(
    _ number: Int, topics: [UInt64], before: Assignment = Assignment(), instance: String? = nil
  ) -> AssignorMember {
    let text = "m\(number / 100)\(number / 10 % 10)\(number % 10)"
    return AssignorMember(
      id: MemberID(text), instance: instance.map { InstanceID($0) }, topics: Set(topics.map(topic)), before: before)
  }
  static func carry(_ members: [AssignorMember], _ result: [MemberID: Assignment]) -> [AssignorMember] {
    members.map { member in
      var next = member
      next.before = result[member.id] ?? Assignment()
      return next
    }
  }
  static func moved(_ before: [MemberID: Assignment], _ after: [MemberID: Assignment]) -> Int {
    var count = 0
    for (member, had) in before {
      let has = after[member] ?? Assignment()
      for (topic, partitions) in had.topics {
        count += partitions.filter { !has.contains(TopicIDPartition(topic, $0)) }.count
      }
    }
    return count
  }
  /// Every partition of a subscribed topic has exactly one owner, and that one subscribes to it.
  static func check(_ members: [AssignorMember], _ partitions: [UniqueID: Int32], _ result: [MemberID: Assignment]) {
    #expect(Set(result.keys) == Set(members.map(\.id)))
    var owned: Set<TopicIDPartition> = []
    for member in members {
      for (topic, numbers) in (result[member.id] ?? Assignment()).topics {
        #expect(member.topics.contains(topic))
        for number in numbers {
          #expect(owned.insert(TopicIDPartition(topic, number)).inserted, "two owners")
          #expect(number.value < partitions[topic] ?? 0)
        }
      }
    }
    let subscribed = members.reduce(into: Set<UniqueID>()) { $0.formUnion($1.topics) }
    #expect(owned.count == subscribed.reduce(0) { $0 + Int(partitions[$1] ?? 0) })
  }

  @Test(arguments: [(1, 1), (3, 7), (5, 5), (7, 3), (10, 100)])
  func uniformSharesDifferByAtMostOne(members: Int, partitions: Int32) {
    let counts = [Self.topic(1): partitions, Self.topic(2): partitions]
    let all = (0..<members).map { Self.member($0, topics: [1, 2]) }
    let result = Assignor.uniform.assign(all, partitions: counts)
    Self.check(all, counts, result)
    let sizes = result.values.map(\.count)
    #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
  }

  @Test func uniformMovesOnlyWhatANewcomerNeeds() {
    let counts = [Self.topic(1): Int32(12)]
    let three = (0..<3).map { Self.member($0, topics: [1]) }
    let before = Assignor.uniform.assign(three, partitions: counts)
    let four = Self.carry(three, before) + [Self.member(3, topics: [1])]
    let after = Assignor.uniform.assign(four, partitions: counts)
    Self.check(four, counts, after)
    #expect(after.values.allSatisfy { $0.count == 3 })
    #expect(Self.moved(before, after) == 3)
  }

  @Test func uniformMovesOnlyWhatALeaverLeaves() {
    let counts = [Self.topic(1): Int32(13)]
    let four = (0..<4).map { Self.member($0, topics: [1]) }
    let before = Assignor.uniform.assign(four, partitions: counts)
    let three = Array(Self.carry(four, before).dropFirst())
    let after = Assignor.uniform.assign(three, partitions: counts)
    Self.check(three, counts, after)
    let stayed = before.filter { $0.key != four[0].id }
    #expect(Self.moved(stayed, after) == 0)
  }

  @Test func uniformChangesNothingWhenNothingHasChanged() {
    let counts = [Self.topic(1): Int32(7), Self.topic(2): Int32(4)]
    let all = (0..<3).map { Self.member($0, topics: [1, 2]) }
    let before = Assignor.uniform.assign(all, partitions: counts)
    #expect(Assignor.uniform.assign(Self.carry(all, before), partitions: counts) == before)
  }

  @Test func uniformRespectsDifferentSubscriptions() {
    let counts = [Self.topic(1): Int32(6), Self.topic(2): Int32(6), Self.topic(3): Int32(1)]
    let all = [
      Self.member(0, topics: [1]), Self.member(1, topics: [1, 2]), Self.member(2, topics: [2, 3]),
      Self.member(3, topics: []),
    ]
    let result = Assignor.uniform.assign(all, partitions: counts)
    Self.check(all, counts, result)
    let sizes = all.prefix(3).map { result[$0.id]?.count ?? 0 }
    #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
    #expect(result[all[3].id]?.isEmpty == true)
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func assignorsAreCompleteAndDeterministicForAnySubscriptions(seed: UInt64) {
    var random = Random(seed: seed)
    var counts: [UniqueID: Int32] = [:]
    for number in 1...UInt64(1 + random.below(5)) { counts[Self.topic(number)] = Int32(random.below(12)) }
    var all = (0..<(1 + random.below(8))).map { number in
      Self.member(number, topics: (1...6).filter { _ in random.below(2) == 0 }.map { UInt64($0) })
    }
    for assignor in Assignor.allCases {
      for _ in 0..<4 {
        let known = all.map { member in
          var member = member
          member.topics.formIntersection(counts.keys)
          return member
        }
        let result = assignor.assign(all, partitions: counts)
        Self.check(known, counts, result)
        #expect(assignor.assign(all.reversed(), partitions: counts) == result)
        all = Self.carry(all, result)
        if assignor == .uniform { #expect(assignor.assign(all, partitions: counts) == result) }
        if all.count > 1 && random.below(2) == 0 { all.removeLast() }
        counts[Self.topic(1)] = Int32(random.below(12))
      }
    }
  }

  @Test func rangesAreContiguousAndAlignedOverTopics() {
    let counts = [Self.topic(1): Int32(7), Self.topic(2): Int32(7)]
    let all = (0..<3).map { Self.member($0, topics: [1, 2]) }
    let result = Assignor.range.assign(all, partitions: counts)
    Self.check(all, counts, result)
    func numbers(_ member: Int, _ topic: UInt64) -> [Int32] {
      result[all[member].id]?.topics.first { $0.id == Self.topic(topic) }?.partitions.map(\.value) ?? []
    }
    for topic in [1, 2] as [UInt64] {
      #expect([numbers(0, topic), numbers(1, topic), numbers(2, topic)] == [[0, 1, 2], [3, 4], [5, 6]])
    }
  }

  @Test func rangesFollowInstancesBeforeMemberIDs() {
    let counts = [Self.topic(1): Int32(3)]
    let all = [
      Self.member(0, topics: [1]), Self.member(1, topics: [1], instance: "b"),
      Self.member(2, topics: [1], instance: "a"),
    ]
    let result = Assignor.range.assign(all, partitions: counts)
    #expect(result[all[2].id]?.topics.first?.partitions == [PartitionIndex(0)])
    #expect(result[all[1].id]?.topics.first?.partitions == [PartitionIndex(1)])
    #expect(result[all[0].id]?.topics.first?.partitions == [PartitionIndex(2)])
  }

  @Test func topicsThatDoNotExistAndEmptyGroupsHarmNobody() {
    for assignor in Assignor.allCases {
      #expect(assignor.assign([], partitions: [Self.topic(1): 3]).isEmpty)
      let broken = [Self.member(0, topics: [1]), Self.member(1, topics: [1])]
      #expect(assignor.assign(broken, partitions: [Self.topic(1): -5])[broken[0].id]?.isEmpty == true)
      let ghost = [Self.member(0, topics: [9])]
      #expect(assignor.assign(ghost, partitions: [:])[ghost[0].id]?.isEmpty == true)
    }
  }
}
