/// How the records of a batch are compressed: bits 0–2 of its attributes.
public enum Compression: UInt8, Hashable, Sendable, CaseIterable {
  case none = 0
  case gzip = 1
  case snappy = 2
  case lz4 = 3
  /// KIP-110: only for Produce v7 and Fetch v10 upwards.
  case zstd = 4
}
