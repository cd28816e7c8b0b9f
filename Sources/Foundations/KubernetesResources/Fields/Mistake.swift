/// One thing that is wrong with a resource: where, what stands there, and what would be right, in one sentence.
public struct Mistake: Error, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Such as `spec.regions[1].brokers`.
  public let path: String
  /// What stands there and what has to stand there, to follow the path.
  public let complaint: String
  public init(_ path: String, _ complaint: String) {
    self.path = path
    self.complaint = complaint
  }
  public var description: String { "\(path) \(complaint)" }
  public static func < (a: Self, b: Self) -> Bool { (a.path, a.complaint) < (b.path, b.complaint) }
}
