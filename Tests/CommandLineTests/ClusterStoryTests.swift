import KubernetesResources
import Testing

@testable import CommandLine

@Suite struct ClusterStoryTests {
  private var story: ClusterStory {
    var story = ClusterStory(place: "the namespace kafka")
    var cluster = KafkaCluster()
    cluster.metadata = ObjectMeta(name: "orders", namespace: "kafka")
    cluster.spec.regions = [
      RegionShare("west", brokers: 2, controllers: 1), RegionShare("north", brokers: 0, controllers: 1),
    ]
    cluster.status.summary = "All 3 nodes are ready."
    cluster.status.conditions = [
      Condition("Ready", .yes, "Serving", "All 3 nodes are ready."),
      Condition("Reconciling", .no, "UpToDate", "Everything is as it should be."),
      Condition("SurvivesRegionLoss", .no, "WouldLose", "Without west the quorum would have no majority."),
    ].settled(after: [], generation: 0, now: "2026-01-01T00:00:00Z")
    var share = RegionShareStatus()
    share.name = "west"
    share.ready = 1
    share.leaders = 4
    cluster.status.regions = [share]
    story.clusters = [cluster]
    var west = Region()
    west.metadata = ObjectMeta(name: "west", namespace: "kafka")
    west.status.conditions = [Condition("Reachable", .yes, "Answers", "It answers.")]
    west.status.roundTrip = "12ms"
    var spare = Region()
    spare.metadata = ObjectMeta(name: "spare", namespace: "kafka")
    spare.status.conditions = [Condition("Reachable", .no, "Unreachable", "no connection: refused")]
    story.regions = [west, spare]
    var topic = KafkaTopic()
    topic.metadata = ObjectMeta(name: "audit", namespace: "kafka")
    topic.spec.cluster.name = "orders"
    topic.status.conditions = [Condition("Ready", .no, "Mistake", "spec.partitions is 2, and it has 3.")]
    story.topics = [topic]
    var mirror = KafkaMirror()
    mirror.metadata = ObjectMeta(name: "eu", namespace: "kafka")
    mirror.spec.target = "orders"
    mirror.status.role = "Standby"
    mirror.status.source = "kafka/old"
    mirror.status.lagRecords = 7
    mirror.status.sourceReadingAge = "under 15s"
    mirror.status.conditions = [Condition("Ready", .yes, "Copying", "3 partitions are copied.")]
    story.mirrors = [mirror]
    return story
  }

  @Test func theStoryIsToldInAFewLines() {
    #expect(
      story.text == """
        KafkaCluster kafka/orders: Ready since 2026-01-01T00:00:00Z. All 3 nodes are ready.
          REGION  BROKERS  LEADERS  API SERVER
          west    1 of 2         4  answers in 12ms
          north   witness        -  there is no Region of this name
          ! SurvivesRegionLoss is False: Without west the quorum would have no majority.
          topics: 0 of 1 are Ready
          ! KafkaTopic audit: spec.partitions is 2, and it has 3.
            KafkaMirror eu (Standby, source kafka/old, lag 7, read under 15s ago): 3 partitions are copied.

        Regions without a cluster:
          spare: no connection: refused

        """)
  }

  @Test func aChangeThatNobodyHasLookedAtIsNoNews() {
    var story = story
    story.clusters[0].metadata.generation = 5
    #expect(story.text.contains("The change of generation 5 has not been looked at yet."))
    story.clusters[0].status.conditions = []
    #expect(story.text.contains("nobody has looked at it yet"))
  }

  @Test func nothingIsSaidInWords() {
    let nothing = ClusterStory(place: "any namespace")
    #expect(nothing.text == "There are no KafkaClusters and no Regions in any namespace.\n")
  }
}
