import Replication
import Testing
import Vocabulary

@Suite struct NodeSetTests {
  @Test func aSetOfNodesHasOneOrderHoweverItWasMade() {
    #expect(NodeSet([NodeID(2), NodeID(0), NodeID(2)]) == [NodeID(0), NodeID(2)])
    #expect(NodeSet([NodeID(1)]).union([NodeID(0)]).nodes == [NodeID(0), NodeID(1)])
  }
}
