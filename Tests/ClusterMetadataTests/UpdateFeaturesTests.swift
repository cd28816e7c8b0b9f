import ClusterMetadata
import Testing
import Vocabulary

/// Levels of features (KIP-584).
@Suite struct UpdateFeaturesTests {
  private let supported = [FeatureSupport("group.version", 0...2), FeatureSupport("metadata.version", 30...30)]
  private var image: MetadataImage {
    var image = MetadataImage()
    image.replay(.featureChanged(name: "group.version", level: 1))
    image.replay(.featureChanged(name: "metadata.version", level: 30))
    return image
  }

  private func refusal(_ name: String, _ level: Int16, _ way: FeatureUpdate.Way?) -> String? {
    let decision = image.update([FeatureUpdate(name, level: level, way)], supported: supported)
    guard case .failure(let refusal) = decision.answer else { return nil }
    #expect(refusal.code == .invalidUpdateVersion && decision.records.isEmpty)
    return refusal.message
  }

  @Test func aLevelGoesUpOrDownOnlyAsWasAskedFor() {
    #expect(image.update([FeatureUpdate("group.version", level: 2, .upgrade)], supported: supported).records.count == 1)
    #expect(refusal("group.version", 0, .safeDowngrade) == nil)
    #expect(refusal("group.version", 0, .upgrade)?.contains("is at level 1") == true)
    #expect(refusal("group.version", 2, .unsafeDowngrade)?.contains("is at level 1") == true)
    #expect(refusal("group.version", 2, nil)?.contains("upgrade type") == true)
  }

  @Test func whatIsThereAlreadyNeedsNoRecord() {
    let decision = image.update([FeatureUpdate("metadata.version", level: 30, .upgrade)], supported: supported)
    #expect(decision.records.isEmpty)
    if case .failure = decision.answer { Issue.record("it is at this level") }
  }

  @Test func aLevelOrFeatureThatThisVersionCannotWorkWithIsRefusedByName() {
    #expect(refusal("metadata.version", 29, .safeDowngrade)?.contains("level 30 only") == true)
    #expect(refusal("group.version", 3, .upgrade)?.contains("levels 0 to 2 only") == true)
    #expect(refusal("share.version", 1, .upgrade)?.contains("group.version, metadata.version") == true)
  }

  @Test func oneThatIsRefusedTakesTheOthersWithIt() {
    let updates = [
      FeatureUpdate("group.version", level: 2, .upgrade), FeatureUpdate("share.version", level: 1, .upgrade),
    ]
    #expect(image.update(updates, supported: supported).records.isEmpty)
  }
}
