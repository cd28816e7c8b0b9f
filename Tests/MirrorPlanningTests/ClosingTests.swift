import MirrorPlanning
import Testing
import Vocabulary

@Suite struct ClosingTests {
  private let name = TopicName("orders")!
  private let id = UniqueID(high: 1, low: 7)
  private let word = "B:0"

  /// The topic as the old owner has it.
  private func plan(
    generation: Int32? = nil, id: UniqueID? = nil, link: String? = nil, fences: [String] = [], taken: Int32 = 2
  ) -> ClosingPlan {
    var configs: [String: String] = [:]
    configs["mirror.report"] = generation.map { "generation=\($0);0:end=3" }
    configs["mirror.link"] = link
    let there = SourceTopic(name: name, id: id ?? self.id, partitions: 1, path: MirrorPath([]), configs: configs)
    return planClosing(
      [TakenTopic(name: name, id: self.id, generation: taken)], at: [name: there], fences: [name: fences], word: word)
  }

  @Test func theOldOwnerIsClosedOnce() {
    #expect(plan().close == [name])
    #expect(plan(fences: ["C:4"]).close == [name])
    #expect(plan(fences: ["C:4", word]).isDone)
  }

  @Test func whoHasTakenOverFromUsIsLeftOpen() {
    #expect(plan(generation: 3, taken: 2).isDone)
    #expect(plan(generation: 2, taken: 2).isDone)
    #expect(plan(generation: 2, taken: 3).close == [name])
  }

  @Test func aTopicThatIsNobodysToWriteOrAnotherOneIsLeftAlone() {
    #expect(plan(link: "home").isDone)
    #expect(plan(id: UniqueID(high: 9, low: 9)).isDone)
  }

  @Test func aTopicThatNothingWasSaidOfIsNotDone() {
    let plan = planClosing([TakenTopic(name: name, id: id, generation: 2)], at: [:], fences: [:], word: word)
    #expect(plan.unknown == [name] && plan.close.isEmpty && !plan.isDone)
  }
}
