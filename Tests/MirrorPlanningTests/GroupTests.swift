import MirrorPlanning
import Testing
import Vocabulary

@Suite struct GroupPlanTests {
  private let one = TopicPartition(TopicName("orders")!, PartitionIndex(0))
  private let two = TopicPartition(TopicName("orders")!, PartitionIndex(1))
  private let other = TopicPartition(TopicName("elsewhere")!, PartitionIndex(0))

  private func at(_ offset: Int64, _ epoch: Int32 = 3) -> GroupOffset {
    GroupOffset(Offset(offset), leaderEpoch: LeaderEpoch(epoch), metadata: "m")
  }

  private func marks(_ known: [TopicPartition: Int64], unknown: [TopicPartition] = []) -> GroupMarks {
    var marks = GroupMarks()
    let leader = CopyLeader(NodeID(1), .init(of: UniqueID(high: 1, low: 1), LeaderEpoch(7)))
    let mirrored = Array(known.keys) + unknown
    marks.follow(Dictionary(uniqueKeysWithValues: mirrored.map { ($0, leader) }))
    for (partition, mark) in known { marks.note(Offset(mark), of: partition, in: leader.era) }
    return marks
  }

  @Test func noGroupGetsBeyondWhatWasCopied() {
    let steps = planGroup(source: [one: at(500)], own: [:], marks: marks([one: 100]))
    #expect(steps.commit == [one: at(100, -1)])
  }

  @Test func rewindsAndDeletionsAreFollowed() {
    let steps = planGroup(
      source: [one: at(5)], own: [one: at(50), two: at(7)], marks: marks([one: 100, two: 100]))
    #expect(steps.commit == [one: at(5)])
    #expect(steps.remove == [two])
  }

  @Test func whatIsNotMirroredIsNotTouched() {
    let steps = planGroup(source: [other: at(5)], own: [other: at(9), two: at(1)], marks: marks([one: 100]))
    #expect(steps.isEmpty)
  }

  @Test func aPlanOverItsOwnResultIsEmpty() {
    let marks = marks([one: 100, two: 3])
    let first = planGroup(source: [one: at(5), two: at(9)], own: [:], marks: marks)
    #expect(planGroup(source: [one: at(5), two: at(9)], own: first.commit, marks: marks).isEmpty)
  }

  @Test func aCommitWaitsWhileItsCopysLeaderHasSaidNothing() {
    let steps = planGroup(
      source: [one: at(5), two: at(9)], own: [one: at(70)], marks: marks([two: 9], unknown: [one]))
    #expect(steps.commit == [two: at(9)])
    #expect(steps.remove == [])
  }

  @Test func aDeletionNeedsNoWordOfTheLeader() {
    #expect(planGroup(source: [:], own: [one: at(5)], marks: marks([:], unknown: [one])).remove == [one])
  }
}

@Suite struct GroupMarksTests {
  private let orders = TopicName("orders")!
  private func place(_ index: Int) -> TopicPartition { TopicPartition(orders, PartitionIndex(Int32(index))) }
  private func at(_ offset: Int64) -> GroupOffset {
    GroupOffset(Offset(offset), leaderEpoch: LeaderEpoch(3), metadata: "")
  }
  private func era(_ epoch: Int32, of topic: UInt64 = 1) -> CopyLeader.Era {
    CopyLeader.Era(of: UniqueID(high: 1, low: topic), LeaderEpoch(epoch))
  }
  private func leader(_ node: Int32?, _ epoch: Int32, of topic: UInt64 = 1) -> CopyLeader {
    CopyLeader(node.map { NodeID($0) }, era(epoch, of: topic))
  }
  private func asked(_ marks: GroupMarks, _ offsets: [TopicPartition: GroupOffset]) -> [NodeID?: [TopicPartition]] {
    Dictionary(uniqueKeysWithValues: marks.questions(for: offsets).map { ($0.leader, $0.about) })
  }

  @Test func eachLeaderIsAskedForWhatItLeadsAndNothingElse() {
    var marks = GroupMarks()
    marks.follow([place(0): leader(1, 5), place(1): leader(2, 5), place(2): leader(1, 5), place(3): leader(nil, 6)])
    let elsewhere = TopicPartition(TopicName("elsewhere")!, PartitionIndex(0))
    let offsets = [place(0): at(1), place(1): at(1), place(2): at(1), place(3): at(1), elsewhere: at(1)]
    #expect(
      asked(marks, offsets) == [NodeID(1): [place(0), place(2)], NodeID(2): [place(1)], nil: [place(3)]])
  }

  @Test func whatIsKnownToBeFarEnoughIsNotAskedAgain() {
    var marks = GroupMarks()
    marks.follow([place(0): leader(1, 5)])
    marks.note(Offset(40), of: place(0), in: era(5))
    #expect(marks.questions(for: [place(0): at(40)]).isEmpty)
    #expect(asked(marks, [place(0): at(41)]) == [NodeID(1): [place(0)]])
    #expect(marks.mark(of: place(0)) == Offset(40))
  }

  @Test func anotherEpochForgetsWhatWasSaidInTheOneBefore() {
    var marks = GroupMarks()
    marks.follow([place(0): leader(1, 5), place(1): leader(1, 5)])
    marks.note(Offset(40), of: place(0), in: era(5))
    marks.note(Offset(40), of: place(1), in: era(5))
    marks.follow([place(0): leader(1, 6), place(1): leader(1, 5)])
    #expect(marks.mark(of: place(0)) == nil && marks.mark(of: place(1)) == Offset(40))
    #expect(asked(marks, [place(0): at(3)]) == [NodeID(1): [place(0)]])
  }

  @Test func whatWasSaidOfATopicSaysNothingOfTheNextOneOfItsName() {
    var marks = GroupMarks()
    marks.follow([place(0): leader(1, 5, of: 1)])
    marks.note(Offset(40), of: place(0), in: era(5, of: 1))
    marks.follow([place(0): leader(1, 5, of: 2)])
    #expect(marks.mark(of: place(0)) == nil)
    marks.note(Offset(40), of: place(0), in: era(5, of: 1))
    #expect(marks.mark(of: place(0)) == nil)
  }

  @Test func anAnswerOfAnotherEpochOrAboutSomethingElseIsNotTaken() {
    var marks = GroupMarks()
    marks.follow([place(0): leader(1, 6)])
    marks.note(Offset(40), of: place(0), in: era(5))
    marks.note(Offset(40), of: place(1), in: era(6))
    marks.note(Offset(-1), of: place(0), in: era(6))
    #expect(marks.mark(of: place(0)) == nil && marks.mark(of: place(1)) == nil && !marks.isMirrored(place(1)))
  }

  @Test func anOlderAnswerThatComesLateLowersNothing() {
    var marks = GroupMarks()
    marks.follow([place(0): leader(1, 6)])
    marks.note(Offset(40), of: place(0), in: era(6))
    marks.note(Offset(30), of: place(0), in: era(6))
    #expect(marks.mark(of: place(0)) == Offset(40))
  }

  @Test func oneQuestionIsUnderWayAndWhatSeveralNeedIsAskedOnce() {
    var questions = MarkQuestions<String>()
    questions.add([place(0)], for: "a")
    #expect(questions.next() == [place(0)])
    questions.add([place(1), place(2)], for: "b")
    questions.add([place(2), place(3)], for: "c")
    #expect(questions.next().isEmpty)
    #expect(questions.answered(refused: []).map(\.asker) == ["a"])
    #expect(questions.next() == [place(1), place(2), place(3)])
    let told = questions.answered(refused: [place(1)])
    #expect(told.map(\.asker) == ["b", "c"] && told.map(\.isWhole) == [false, true])
    #expect(questions.next().isEmpty)
  }

  @Test func aQuestionIsNoLongerThanALeaderAnswersAtOnce() {
    let most = MarkQuestions<String>.partitionsMax
    var questions = MarkQuestions<String>()
    questions.add((0..<2 * most + 5).map(place), for: "a")
    var asked: [TopicPartition] = []
    for count in [most, most] {
      let next = questions.next()
      #expect(next.count == count)
      asked += next
      #expect(questions.answered(refused: asked.count == most ? [place(3)] : []).isEmpty)
    }
    asked += questions.next()
    #expect(asked == (0..<2 * most + 5).map(place))
    let told = questions.answered(refused: [])
    #expect(told.map(\.isWhole) == [false])
  }

  @Test func aSilentLeaderIsWaitedForOnceByAll() {
    var questions = MarkQuestions<String>()
    questions.add([place(0)], for: "a")
    _ = questions.next()
    questions.add([place(1)], for: "b")
    let told = questions.failed()
    #expect(told.map(\.asker) == ["a", "b"] && told.allSatisfy { !$0.isWhole })
    #expect(questions.next().isEmpty)
    questions.add([place(1)], for: "c")
    #expect(questions.next() == [place(1)])
  }
}
