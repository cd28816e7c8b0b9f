import ClusterMetadata
import Testing
import Vocabulary

@Suite struct ImageRecordTests {
  private func again(_ image: MetadataImage) -> MetadataImage {
    var again = MetadataImage()
    for record in image.records { again.replay(record) }
    return again
  }

  @Test(arguments: 0..<60 as Range<UInt64>) func theRecordsOfAnImageReplayIntoThatImage(seed: UInt64) {
    var cluster = InventedCluster(seed: seed)
    for _ in 0..<5 {
      cluster.run(steps: 40)
      #expect(again(cluster.image) == cluster.image)
    }
  }

  @Test func everythingThatCanBeSetIsAmongThem() {
    var image = MetadataImage()
    image.replay(.featureChanged(name: "metadata.version", level: 30))
    image.replay(.configChanged(.allBrokers, key: "a", value: "1"))
    image.replay(.configChanged(.broker(NodeID(3)), key: "b", value: ""))
    image.replay(.configChanged(.topic("orders"), key: "c", value: "x"))
    image.replay(.producerIDsAllocated(NodeID(1), next: ProducerID(3000)))
    #expect(again(image) == image)
    #expect(again(MetadataImage()) == MetadataImage())
  }

  @Test func theEpochOfABrokerThatIsGoneIsNotGivenOutAgain() {
    var image = MetadataImage()
    for (id, epoch) in [(0, 4), (7, 9)] as [(Int32, Int64)] {
      image.replay(
        .brokerRegistered(
          BrokerRegistration(
            id: NodeID(id), epoch: epoch, incarnation: .zero, endpoints: [], rack: nil, isFenced: false,
            logDirectories: [UniqueID(high: 1, low: UInt64(epoch))])))
    }
    image.replay(.brokerUnregistered(NodeID(7), epoch: 9))
    #expect(again(image) == image)
    #expect(again(image).lastBrokerEpoch == 9)
    #expect(again(image).brokers[NodeID(0)]?.epoch == 4)
  }
}
