package import ClusterMetadata
package import Consensus
package import Replication
import Vocabulary

/// A partition of one topic; a topic that is deleted and created again is another one.
struct PartitionKey: Hashable, Comparable {
  let topic: UniqueID
  let index: Int
  static func < (a: Self, b: Self) -> Bool { (a.topic, a.index) < (b.topic, b.index) }
  var text: String { "\(topic.low % 10_000)-\(index)" }
}

/// Mistakes in what joins the decisions, for the proof that the simulation finds them.
package enum WiringBug: String, Sendable, CaseIterable {
  /// A controller answers when it has decided, and not when that is committed.
  case answersBeforeCommit
  /// A controller decides before it knows that it has everything that its predecessors have committed.
  case decidesBeforeItKnows
  /// A broker forgets one batch of the metadata.
  case skipsABatch
  /// A broker acts on metadata that is not committed.
  case believesTheUncommitted
  /// A broker that comes up acts on metadata from before its own registration.
  case actsOnAnEarlierLife
}

/// A mistake in one of the modules that are joined.
package enum ClusterMistake: Sendable, Hashable {
  case quorum(Consensus.PlantedBug)
  case replication(Replication.PlantedBug)
  case metadata(ClusterMetadata.PlantedBug)
  case wiring(WiringBug)
  /// Shows only where logs are files.
  case storage(StorageBug)

  package var name: String {
    switch self {
    case .quorum(let bug): bug.rawValue
    case .replication(let bug): bug.rawValue
    case .metadata(let bug): bug.rawValue
    case .wiring(let bug): bug.rawValue
    case .storage(let bug): bug.rawValue
    }
  }
  package static let all: [ClusterMistake] =
    Consensus.PlantedBug.allCases.map { .quorum($0) } + Replication.PlantedBug.allCases.map { .replication($0) }
    + ClusterMetadata.PlantedBug.allCases.map { .metadata($0) } + WiringBug.allCases.map { .wiring($0) }
    + StorageBug.allCases.map { .storage($0) }
}

/// How often something happened: a simulation in which nothing happens proves nothing.
package struct ClusterSeen: Sendable {
  package var acknowledged = 0
  package var controllers = 0
  package var elections = 0
  package var crashes = 0
  package var powerLosses = 0
  package var regionLosses = 0
  package var fencings = 0
  package var promotions = 0
  package var observersLeading = 0
  package var reassignments = 0
  package var deletions = 0
  package var shutdowns = 0
  package var truncations = 0
  package var voterChanges = 0
  package var minimumChanges = 0
  package var metadata = 0
  /// Of logs that are files: opened again, and the power lost in the middle of a change.
  package var recoveries = 0
  package var interruptions = 0
  package init() {}
  package static func += (a: inout ClusterSeen, b: ClusterSeen) {
    a.acknowledged += b.acknowledged
    a.controllers += b.controllers
    a.elections += b.elections
    a.crashes += b.crashes
    a.powerLosses += b.powerLosses
    a.regionLosses += b.regionLosses
    a.fencings += b.fencings
    a.promotions += b.promotions
    a.observersLeading += b.observersLeading
    a.reassignments += b.reassignments
    a.deletions += b.deletions
    a.shutdowns += b.shutdowns
    a.truncations += b.truncations
    a.voterChanges += b.voterChanges
    a.minimumChanges += b.minimumChanges
    a.metadata += b.metadata
    a.recoveries += b.recoveries
    a.interruptions += b.interruptions
  }
}

/// What a broker asks the controller.
enum ClusterAsk {
  case register(BrokerRegistration, PreviousEnd)
  case heartbeat(epoch: Int64, BrokerHeartbeat.Wish, read: Offset, knowsItself: Bool)
  case alter(PartitionKey, Replication.Proposal, life: BrokerEpoch)
}

/// What it is told.
enum ClusterTold {
  case registered(Result<Int64, Refusal>)
  case heartbeat(Result<HeartbeatAnswer, Refusal>)
  case altered(PartitionKey, ProposalID, ProposalAnswer, life: BrokerEpoch)
}

/// Who waits for an answer of the quorum.
struct ClusterAsker {
  /// Nil for an administrator, who does not listen.
  let node: Int?
  let incarnation: Int
  let id: RequestID
  let vote: VoteRequest?
}

enum ClusterEvent {
  case tick(Int)
  case request(to: Int, Consensus.Request, ClusterAsker)
  case answer(to: Int, incarnation: Int, Consensus.Answer, RequestID)
  case failed(to: Int, incarnation: Int, RequestID)
  case synced(Int, incarnation: Int, write: Int, end: Offset, LeaderEpoch)
  case start(Int)
  case ask(controller: Int, ClusterAsk, by: Int, incarnation: Int)
  case told(broker: Int, incarnation: Int, ClusterTold)
  case fetch(broker: Int, PartitionKey, Replication.FetchRequest)
  case fetched(broker: Int, PartitionKey, FetchID, FetchOutcome, StoredRecords, life: BrokerEpoch)
  case produce(broker: Int, PartitionKey, Acks, client: Int, sequence: Int)
  case produced(client: Int, sequence: Int, offset: Int, WriteAnswer)
  case brokerTick(Int, incarnation: Int)
  case controllerTick(Int, incarnation: Int)
  case clientTick(Int)
  case administer
  case trouble
  case mend([Int])
}

/// A process: a replica of the metadata log, and what was replayed of it.
struct ClusterNode {
  let id: NodeID
  let directory: UniqueID
  let region: String
  var disk: QuorumDisk
  /// Nil while the process is down.
  var quorum: Quorum?
  var incarnation = 0
  var clockAhead: Int64 = 0
  var tickDue: Int64 = .max
  var tokens: [ClusterAsker] = []
  var comparedEnd = Offset.zero
  var committed = Offset.zero
  /// What is committed, as far as this process knows.
  var image = MetadataImage()
  var replayed = Offset.zero
  var lead: ControllerLead?
  /// How many more effects are performed before it crashes.
  var doom: (effects: Int, powerLoss: Bool)?
  var key: ReplicaKey { ReplicaKey(id, directory) }
}

/// What only the controller that leads has.
struct ControllerLead {
  let epoch: LeaderEpoch
  let start: Offset
  /// With everything that was decided, committed or not; nil until it is known to be whole.
  var image: MetadataImage?
  var sessions = BrokerSessions()
  /// Answers that wait until everything before an offset is committed.
  var waiting: [(end: Offset, told: ClusterTold, broker: Int, incarnation: Int)] = []
}

struct ClusterBroker {
  let id: NodeID
  /// Nil where logs are a model.
  let files: ClusterFiles?
  var process = UniqueID.zero
  /// Given by the controller; nil until then.
  var life: BrokerEpoch?
  /// The power went, and the controller does not know yet.
  var mayHaveLostTail = false
  var stops = false
  var askedAt: Int64 = .min
  var copies: [PartitionKey: ClusterCopy] = [:]
  var lastWrite: UInt64 = 0
}

struct ClusterCopy {
  /// The log itself where logs are a model; elsewhere what its files held when they were read last.
  var log = ReplicatedLog()
  var replica: Replica?
  var underway = Underway.nothing
  /// Since the files were opened last.
  var lostPower = false
  var pending: [WriteID: (acks: Acks, client: Int, sequence: Int, offset: Int)] = [:]
}

struct ClusterClient {
  /// The write that is under way.
  var sequence = 0
  var key: PartitionKey?
  var acks = Acks.allInSync
  var sentAt: Int64?
}
