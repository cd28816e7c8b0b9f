import ClusterMetadata
import LogStorage
import Telemetry
import Vocabulary

/// What the broker counts, under the names that the JMX exporter gives Kafka's own metrics.
struct BrokerMetrics: Sendable {
  let registry = MetricRegistry()
  let bytesIn: Counter
  let bytesOut: Counter
  let recordsIn: Counter
  let produceRequests: Counter
  let fetchRequests: Counter
  let failedProduces: Counter
  let failedFetches: Counter
  /// In microseconds, from the whole frame to the answer.
  let produceTime: Summary
  let inSyncShrinks: Counter
  let inSyncExpands: Counter
  let leaderThrottled: Counter
  let followerThrottled: Counter
  let requests: Counter
  let closedConnections: Counter

  init() {
    let topics = "kafka_server_brokertopicmetrics"
    bytesIn = registry.counter("\(topics)_bytesin_total", help: "Bytes of record batches that producers sent.")
    bytesOut = registry.counter("\(topics)_bytesout_total", help: "Bytes of record batches sent to consumers.")
    recordsIn = registry.counter("\(topics)_messagesin_total", help: "Records appended for producers.")
    produceRequests = registry.counter("\(topics)_totalproducerequests_total", help: "Produce requests.")
    fetchRequests = registry.counter("\(topics)_totalfetchrequests_total", help: "Fetch requests.")
    failedProduces = registry.counter(
      "\(topics)_failedproducerequests_total", help: "Batches of Produce requests that were refused.")
    failedFetches = registry.counter(
      "\(topics)_failedfetchrequests_total", help: "Partitions of Fetch requests that got an error.")
    produceTime = registry.summary(
      "kafka_network_requestmetrics_totaltimems", help: "Milliseconds from a whole request to its answer.",
      labels: ["request": "Produce"], scale: 0.001)
    inSyncShrinks = registry.counter(
      "kafka_server_replicamanager_isrshrinks_total", help: "Replicas left the in-sync set of a partition led here.")
    inSyncExpands = registry.counter(
      "kafka_server_replicamanager_isrexpands_total", help: "Replicas joined the in-sync set of a partition led here.")
    leaderThrottled = registry.counter(
      "kafka_server_leaderreplication_byte_total", help: "Bytes sent to followers under the leader's limit (KIP-73).")
    followerThrottled = registry.counter(
      "kafka_server_followerreplication_byte_total", help: "Bytes copied under the follower's limit (KIP-73).")
    requests = registry.counter("kafka_network_requestmetrics_requests_total", help: "Requests of every kind.")
    closedConnections = registry.counter(
      "swiftwater_connections_closed_abnormally_total", help: "Connections that were closed because of what came in.")
    registry.addProcessMetrics()
  }

  /// Values that are there anyway, asked for when the metrics are.
  func addGauges(of broker: Broker) {
    registry.gauge("kafka_server_socketservermetrics_connection_count", help: "Client connections.") {
      Double(broker.connectionCount)
    }
    registry.gauge("kafka_server_replicamanager_partitioncount", help: "Partitions of this broker.") {
      Double(broker.partitions.partitionCount)
    }
    registry.gauge("kafka_server_replicamanager_leadercount", help: "Partitions that this broker leads.") {
      Double(broker.partitions.allPartitions.count { $0.leads })
    }
    addStandings(of: broker)
    registry.gauge(
      "kafka_server_replicamanager_offlinereplicacount", help: "Partitions whose disk failed: they take no writes."
    ) {
      Double(broker.partitions.allPartitions.count { $0.log.failure != nil })
    }
    registry.gauge("kafka_controller_kafkacontroller_activecontrollercount", help: "1 on the active controller.") {
      broker.controller?.isActive == true ? 1 : 0
    }
    registry.gauge("kafka_controller_kafkacontroller_globaltopiccount", help: "Topics of the cluster.") {
      Double(broker.image.topics.count)
    }
    registry.gauge("kafka_server_fetchsessioncache_numincrementalfetchsessions", help: "Fetch sessions.") {
      Double(broker.fetchSessions.count)
    }
    registry.collect("kafka_log_log_size", help: "Bytes of a partition's log.", kind: .gauge) {
      broker.partitions.allPartitions.map { MetricSample(Self.labels($0), Double($0.log.size.value)) }
    }
    registry.collect("kafka_log_log_logendoffset", help: "The offset that the next record gets.", kind: .gauge) {
      broker.partitions.allPartitions.map { MetricSample(Self.labels($0), Double($0.log.endOffset.value)) }
    }
  }

  private static func labels(_ partition: Partition) -> MetricLabels {
    ["topic": partition.name.topic.text, "partition": "\(partition.name.partition.value)"]
  }

  /// Whether the partitions that are led here have the replicas that they should have.
  private func addStandings(of broker: Broker) {
    func gauge(
      _ name: String, _ help: String,
      _ counts: @escaping @Sendable ((inSync: Int, replicas: Int, minimum: Int)) -> Bool
    ) {
      registry.gauge("kafka_server_replicamanager_\(name)", help: help) {
        Double(broker.partitions.allPartitions.count { $0.standing.map(counts) ?? false })
      }
    }
    gauge("underreplicatedpartitions", "Partitions led here whose replicas are not all in sync.") {
      $0.inSync < $0.replicas
    }
    gauge("underminisrpartitioncount", "Partitions led here that cannot take acks=all.") { $0.inSync < $0.minimum }
    gauge("atminisrpartitioncount", "Partitions led here that one replica fewer would stop.") {
      $0.inSync == $0.minimum
    }
  }
}
