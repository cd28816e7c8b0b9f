import Coordination
import Vocabulary

extension GroupSettings {
  /// From server.properties.
  init(_ reader: SettingsReader) {
    self.init()
    sessionTimeoutMin = reader.milliseconds("group.min.session.timeout.ms")
    sessionTimeoutMax = reader.milliseconds("group.max.session.timeout.ms")
    initialRebalanceDelay = reader.milliseconds("group.initial.rebalance.delay.ms")
    classicMembersMax = reader.int("group.max.size")
    offsetMetadataMax = ByteCount(reader.int("offset.metadata.max.bytes"))
    offsetsRetention = .seconds(Int64(reader.int("offsets.retention.minutes")) * 60)
    offsetsRetentionCheckInterval = reader.milliseconds("offsets.retention.check.interval.ms")
    consumerSessionTimeout = reader.milliseconds("group.consumer.session.timeout.ms")
    consumerHeartbeatInterval = reader.milliseconds("group.consumer.heartbeat.interval.ms")
    consumerMembersMax = reader.int("group.consumer.max.size")
  }
}
