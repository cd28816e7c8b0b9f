import MirrorPlanning
import Telemetry
import Vocabulary

extension BrokerMetrics {
  /// How far the mirrored partitions are that this broker leads. What is not known has no sample: it is never zero.
  func addMirrors(of broker: Broker) {
    func collect(_ name: String, _ help: String, _ value: @escaping @Sendable (PartitionStatus) -> Double?) {
      registry.collect("swiftwater_mirror_\(name)", help: help, kind: .gauge) {
        broker.mirrors.statuses.compactMap { link, partition, status in
          value(status).map {
            MetricSample(
              ["mirror": link, "topic": partition.topic.text, "partition": "\(partition.partition.value)"], $0)
          }
        }
      }
    }
    collect("lag_records", "Offsets that the source had and the copy has not, when the source was last heard of.") {
      $0.lag.map { Double($0) }
    }
    collect("source_age_seconds", "How old what is known of the source is.") {
      $0.age.map { Double($0.milliseconds) / 1000 }
    }
    collect("halted", "1 where a copy stands still until somebody decides.") { $0.state == .halted ? 1 : 0 }
    collect("short_of_room", "1 where nothing is copied since the disk has too little room left.") {
      $0.isShortOfRoom ? 1 : 0
    }
    collect("copied_bytes", "Bytes that were copied since this broker leads the partition.") {
      $0.copied.map { Double($0) }
    }
    collect("gaps", "Gaps that were accepted.") { Double($0.accepted.count) }
  }
}
