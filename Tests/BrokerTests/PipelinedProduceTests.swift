import KafkaProtocol
import Testing
import Vocabulary

@testable import Broker

/// A partition that is not there yet is one that this broker does not lead yet.
@Suite struct PipelinedProduceTests {
  private func produce(_ sequence: Int32, to topic: String) -> ProduceRequest {
    var batch = RecordBatchBuilder(
      producer: ProducerStamp(id: ProducerID(7), epoch: ProducerEpoch(0), baseSequence: sequence))
    batch.append(timestamp: Timestamp(milliseconds: 1_700_000_000_000), key: nil, value: Array("\(sequence)".utf8))
    let bytes = batch.build()
    return ProduceRequest { request in
      request.acks = -1
      request.timeoutMs = 2000
      request.topicData = [
        .init {
          $0.name = topic
          $0.partitionData = [
            .init {
              $0.index = 0
              $0.records = .bytes(bytes)
            }
          ]
        }
      ]
    }
  }

  private func create(_ topic: String) -> CreateTopicsRequest {
    CreateTopicsRequest { request in
      request.timeoutMs = 10_000
      request.topics = [
        .init {
          $0.name = topic
          $0.numPartitions = 1
          $0.replicationFactor = 1
        }
      ]
    }
  }

  @Test func aBatchDoesNotOvertakeOneThatWasRefusedBeforeIt() throws {
    let running = try RunningBroker()
    let client = try running.connect()
    func answer(to sequence: Int32) throws -> ErrorCode {
      try client.ask(produce(sequence, to: "late"), version: 9).responses[0].partitionResponses[0].errorCode
    }
    #expect(try answer(to: 0) == .unknownTopicOrPartition)
    #expect(try running.connect().ask(create("late"), version: 5).topics[0].errorCode == .none)
    #expect(try answer(to: 1) == .notLeaderOrFollower, "it was on its way when the first was refused")
    #expect(try answer(to: 0) == .none)
    #expect(try answer(to: 1) == .none)
    #expect(try answer(to: 1) == .none, "what is sent again is known")
    for _ in 0..<10 { #expect(try answer(to: 3) == .notLeaderOrFollower) }
    #expect(try answer(to: 3) == .outOfOrderSequenceNumber)
    #expect(try answer(to: 2) == .none)
  }
}
