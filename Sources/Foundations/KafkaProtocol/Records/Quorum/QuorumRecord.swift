public import Wire

/// The fields of one type of control record of `__cluster_metadata`. All of them are flexible (KIP-482) in every
/// version, and the version is their first field.
public protocol QuorumRecordBody: WireStruct {
  static var versions: ClosedRange<Int16> { get }
  var version: Int16 { get set }
}

/// A control record of `__cluster_metadata`, with which the quorum speaks about itself (KIP-595, KIP-630, KIP-853).
public enum QuorumRecord: Sendable, Equatable {
  case leaderChange(LeaderChangeMessage)
  case snapshotHeader(SnapshotHeaderRecord)
  case snapshotFooter(SnapshotFooterRecord)
  case kraftVersion(KRaftVersionRecord)
  case voters(VotersRecord)

  static let keyVersion: Int16 = 0

  /// The type in the record's key; 0 and 1 end transactions.
  public var type: Int16 {
    switch self {
    case .leaderChange: 2
    case .snapshotHeader: 3
    case .snapshotFooter: 4
    case .kraftVersion: 5
    case .voters: 6
    }
  }

  public func encodeKey() -> [UInt8] {
    var writer = ByteWriter(capacity: 4)
    writer.int16(Self.keyVersion)
    writer.int16(type)
    return writer.finish()
  }

  public func encodeValue() -> [UInt8] {
    switch self {
    case .leaderChange(let record): record.encoded()
    case .snapshotHeader(let record): record.encoded()
    case .snapshotFooter(let record): record.encoded()
    case .kraftVersion(let record): record.encoded()
    case .voters(let record): record.encoded()
    }
  }

  /// Nil for a type of control record that is none of the quorum's.
  /// Throws `invalidValue` for a version that this release does not know.
  public static func decode(
    key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
  ) throws(WireError) -> QuorumRecord? {
    var reader = ByteReader(key)
    // Later versions of the key may add fields but keep these two.
    _ = try reader.int16()
    switch try reader.int16() {
    case 2: return .leaderChange(try .decode(value))
    case 3: return .snapshotHeader(try .decode(value))
    case 4: return .snapshotFooter(try .decode(value))
    case 5: return .kraftVersion(try .decode(value))
    case 6: return .voters(try .decode(value))
    default: return nil
    }
  }
}

extension QuorumRecordBody {
  fileprivate static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Self {
    var reader = ByteReader(bytes)
    let version = try reader.int16()
    guard versions.contains(version) else { throw .invalidValue("version") }
    return try decoded(bytes, version: version, flexibleSince: 0)
  }

  fileprivate func encoded() -> [UInt8] {
    precondition(Self.versions.contains(version), "a version that the record does not have")
    var encoder = Encoder(version: version, flexibleSince: 0, capacity: 64)
    encoder.message(self)
    return encoder.finish().bytes
  }
}
