import KafkaProtocol
import Testing
import Vocabulary

@Suite struct NameTests {
  @Test func anErrorCodeIsSpelledAsKafkaSpellsIt() {
    #expect("\(ErrorCode.none)" == "NONE")
    #expect("\(ErrorCode.unknownServerError)" == "UNKNOWN_SERVER_ERROR")
    #expect("\(ErrorCode.notLeaderOrFollower)" == "NOT_LEADER_OR_FOLLOWER")
    #expect("\(ErrorCode.snapshotNotFound) \(ErrorCode.unknownTopicId)" == "SNAPSHOT_NOT_FOUND UNKNOWN_TOPIC_ID")
    #expect("\(ErrorCode.rebootstrapRequired)" == "REBOOTSTRAP_REQUIRED")
    #expect(Set(ErrorCode.allCases.map(\.description)).count == ErrorCode.allCases.count)
  }

  @Test func aRequestIsNamedLikeItsKey() {
    for request in allRequests {
      #expect("\(request)".replacing("IDs", with: "Ids").replacing("ID", with: "Id") == "\(request.key)Request")
    }
    #expect("\(APIKey.deleteShareGroupOffsets)" == "DeleteShareGroupOffsets")
    #expect(APIKey.allCases.map(\.rawValue) == Array(0...92))
  }
}
