public import Vocabulary
public import Wire

// What MirrorMaker 2 writes into topics of its own (KIP-382), so that its tools and RemoteClusterUtils read ours, and we
// theirs. Keys and values are plain structures, with 16 bits for the lengths of texts.

/// A record of a topic and the place of its copy: `mm2-offset-syncs.ALIAS.internal`.
public struct OffsetSyncRecord: Hashable, Sendable {
  public var topic: String
  public var partition: Int32
  public var upstreamOffset: Int64
  public var downstreamOffset: Int64

  public init(topic: String, partition: Int32, upstreamOffset: Int64, downstreamOffset: Int64) {
    self.topic = topic
    self.partition = partition
    self.upstreamOffset = upstreamOffset
    self.downstreamOffset = downstreamOffset
  }

  public init(key: [UInt8], value: [UInt8]) throws(WireError) {
    (topic, partition) = try decoded(key) { reader throws(WireError) in
      (try reader.shortText(), try reader.int32())
    }
    (upstreamOffset, downstreamOffset) = try decoded(value) { reader throws(WireError) in
      (try reader.int64(), try reader.int64())
    }
  }

  public var key: [UInt8] {
    var writer = ByteWriter()
    writer.shortText(topic)
    writer.int32(partition)
    return writer.finish()
  }

  public var value: [UInt8] {
    var writer = ByteWriter()
    writer.int64(upstreamOffset)
    writer.int64(downstreamOffset)
    return writer.finish()
  }
}

/// How far a group has read, in the offsets of both clusters: `ALIAS.checkpoints.internal`, version 0.
public struct CheckpointRecord: Hashable, Sendable {
  public var group: String
  /// As it is called at the target.
  public var topic: String
  public var partition: Int32
  public var upstreamOffset: Int64
  public var downstreamOffset: Int64
  public var metadata: String

  public init(
    group: String, topic: String, partition: Int32, upstreamOffset: Int64, downstreamOffset: Int64, metadata: String
  ) {
    self.group = group
    self.topic = topic
    self.partition = partition
    self.upstreamOffset = upstreamOffset
    self.downstreamOffset = downstreamOffset
    self.metadata = metadata
  }

  public var key: [UInt8] {
    var writer = ByteWriter()
    writer.shortText(group)
    writer.shortText(topic)
    writer.int32(partition)
    return writer.finish()
  }

  public var value: [UInt8] {
    var writer = ByteWriter()
    writer.int16(0)
    writer.int64(upstreamOffset)
    writer.int64(downstreamOffset)
    writer.shortText(metadata)
    return writer.finish()
  }
}

/// That a mirror is alive: `heartbeats`, version 0.
public struct HeartbeatRecord: Hashable, Sendable {
  public var source: String
  public var target: String
  public var timestamp: Timestamp

  public init(source: String, target: String, timestamp: Timestamp) {
    self.source = source
    self.target = target
    self.timestamp = timestamp
  }

  public var key: [UInt8] {
    var writer = ByteWriter()
    writer.shortText(source)
    writer.shortText(target)
    return writer.finish()
  }

  public var value: [UInt8] {
    var writer = ByteWriter()
    writer.int16(0)
    writer.int64(timestamp.milliseconds)
    return writer.finish()
  }
}

private func decoded<Value>(
  _ bytes: [UInt8], _ read: (inout ByteReader) throws(WireError) -> Value
) throws(WireError) -> Value {
  var result: Result<Value, WireError> = .failure(.truncated)
  bytes.withUnsafeBytes { raw in
    var reader = ByteReader(raw)
    do throws(WireError) { result = .success(try read(&reader)) } catch { result = .failure(error) }
  }
  return try result.get()
}

extension ByteReader {
  fileprivate mutating func shortText() throws(WireError) -> String { try text(Int(try int16())) }
}

extension ByteWriter {
  /// Longer than names of topics and groups can be is cut off.
  fileprivate mutating func shortText(_ words: String) {
    let bytes = words.utf8.prefix(Int(Int16.max))
    int16(Int16(bytes.count))
    raw(bytes)
  }
}
