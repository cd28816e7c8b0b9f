import CLinux

/// A file whose bytes can be sent without passing through the process. The descriptor stays open for as long as
/// the object lives; whoever sends from it retains it until the last byte has left.
public protocol SendableFile: AnyObject, Sendable {
  /// Open for reading.
  var descriptor: Int32 { get }
  /// For connections without a socket; fewer bytes at the file's end, nil when they cannot be read.
  func bytes(at position: Int64, count: Int) -> [UInt8]?
}

extension SendableFile {
  public func bytes(at position: Int64, count: Int) -> [UInt8]? {
    var status = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      status = linux_read_at(descriptor, buffer.baseAddress, count, position)
      initialized = max(0, status)
    }
    return status < 0 ? nil : bytes
  }
}

/// One stretch of what is to be sent.
public enum OutgoingPart: Sendable {
  case bytes([UInt8])
  /// `count` bytes of the file from `position` on. The connection is closed if the file turns out to be shorter.
  case file(any SendableFile, position: Int64, count: Int)

  /// The number of bytes.
  public var count: Int {
    switch self {
    case .bytes(let bytes): bytes.count
    case .file(_, _, let count): count
    }
  }
}

/// The payload of one frame. The four bytes of its length are put before it when it is sent.
public struct Outgoing: Sendable {
  enum Content: Sendable {
    // Nearly every answer is this, and an array for one part would cost an allocation each.
    case bytes([UInt8])
    case parts([OutgoingPart])
  }
  let content: Content

  public init(_ bytes: [UInt8]) { content = .bytes(bytes) }
  public init(parts: [OutgoingPart]) { content = .parts(parts) }

  /// The number of bytes, without the length before them.
  public var count: Int {
    switch content {
    case .bytes(let bytes): bytes.count
    case .parts(let parts): parts.reduce(0) { $0 + $1.count }
    }
  }
}
