import Coordination
import Vocabulary

// What must hold of every history, whoever wrote it.

/// One owner per partition and generation.
struct OwnershipChecker {
  private var owners: [Generation: [UInt8: String]] = [:]
  private(set) var complaints: [String] = []

  mutating func owns(_ partitions: [UInt8], _ generation: Generation, _ owner: String) {
    for partition in partitions {
      if let other = owners[generation]?[partition], other != owner {
        complaints.append("partition \(partition) has two owners in generation \(generation.value): \(other), \(owner)")
      }
      owners[generation, default: [:]][partition] = owner
    }
  }
}

/// A committed offset never moves back, and is what a fetch finds.
struct CommitChecker {
  private(set) var committed: [UInt8: Int64] = [:]
  private(set) var complaints: [String] = []

  mutating func accepted(_ partition: UInt8, _ offset: Int64) {
    if let before = committed[partition], offset < before {
      complaints.append("the offset of partition \(partition) moved back from \(before) to \(offset)")
    }
    committed[partition] = offset
  }

  mutating func found(_ partition: UInt8, _ offset: Int64) {
    let expected = committed[partition] ?? -1
    if offset != expected {
      complaints.append("partition \(partition) was committed at \(expected), and \(offset) is found")
    }
  }
}

/// No partition is read by two at once.
func partitionsReadTwice(_ owned: [(name: String, assignment: Assignment)]) -> [String] {
  var readers: [TopicIDPartition: String] = [:]
  var complaints: [String] = []
  for (name, assignment) in owned {
    for (topic, partitions) in assignment.topics {
      for partition in partitions {
        let one = TopicIDPartition(topic, partition)
        if let other = readers[one] { complaints.append("\(partition.value) is read by \(other) and \(name)") }
        readers[one] = name
      }
    }
  }
  return complaints
}
