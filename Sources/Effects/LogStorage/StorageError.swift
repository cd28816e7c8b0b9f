/// A disk operation that failed, or a file that is not what it should be.
/// The log that meets one stops its writes; what was durable stays readable.
public struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Operation: String, Hashable, Sendable {
    case open, create, read, write, truncate, sync, rename, unlink, list, append, recover, lock
    case createDirectory = "create folder"
    case removeDirectory = "remove folder"
    case syncDirectory = "sync folder"
  }
  public enum Reason: Hashable, Sendable {
    /// The number that the operating system gave, such as ENOSPC.
    case system(Int32)
    /// Nothing failed, but the bytes or the state are wrong.
    case invalid(String)
  }
  public let path: String
  public let operation: Operation
  public let reason: Reason

  public init(_ operation: Operation, _ path: String, _ reason: Reason) {
    self.operation = operation
    self.path = path
    self.reason = reason
  }

  /// ENOENT.
  var isAbsence: Bool { reason == .system(2) }
  /// EMFILE or ENFILE.
  var isShortageOfDescriptors: Bool { reason == .system(24) || reason == .system(23) }

  public var description: String {
    switch reason {
    case .system(let number): "cannot \(operation.rawValue) \(path): \(SystemText.message(for: number))"
    case .invalid(let text): "cannot \(operation.rawValue) \(path): \(text)"
    }
  }
}
