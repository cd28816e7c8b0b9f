public import Vocabulary

// How a copy gets rid of what its source does not have: found, kept elsewhere, written into the metadata, and only then
// cut off. Whatever ends in between begins again with the source's next answer, and finds the same.

/// How far one partition is with it.
public enum Parting: Hashable, Sendable {
  case none
  /// The source is asked where the logs part; what is to be cut off is written to a file.
  case searching
  /// It is kept. It is cut off once the metadata says so as well: down to an offset that is below what was kept where
  /// nothing is shared and the source begins before.
  case saved(SetAside, cutTo: Offset)
  /// It has been cut off in this epoch of ours. Copying goes on in the next one: readers look anew where they are, before
  /// there is anything else at these offsets.
  case cut(in: LeaderEpoch)
}

/// Why what diverged was not set aside.
public enum PartingProblem: Hashable, Sendable {
  /// Something did not answer, or changed meanwhile: it is tried again.
  case notNow(String)
  /// The logs have the same epochs below where they part, and yet not the same batches.
  case differs(at: Offset)
  /// There is more of it than may be set aside.
  case tooMuch(limit: Int64)
}

extension PartitionCopy {
  /// The pause before it is tried again.
  public static let partingPause = TimeSpan.seconds(1)

  /// Begins with it where the copy stands still for that reason, and it was not begun yet.
  public mutating func beginParting(at now: Instant) -> Bool {
    guard case .none = parting, now >= partingNotBefore else { return false }
    switch phase {
    case .halted(.diverged), .halted(.shorter):
      parting = .searching
      return true
    case .halted, .copying, .resting, .stopped: return false
    }
  }

  /// What is here beyond `shared` was written by each side alone: nothing is copied before it is cut off.
  public mutating func holds(beyond shared: SharedEnd) {
    guard case .none = parting else { return }
    switch phase {
    case .copying, .resting, .halted(.gap), .halted(.epochTooHigh): halt(.diverged(from: shared.end))
    case .halted, .stopped: break
    }
  }

  /// Where the source was found to end before the copy.
  public var sourceEnd: Offset? {
    if case .halted(.shorter(let end)) = phase { return end }
    return nil
  }

  /// There is nothing to cut off after all. If the source's next answer says otherwise, there is a pause before it is asked
  /// again.
  public mutating func partingWasNeedless(at now: Instant) {
    guard case .searching = parting else { return }
    parting = .none
    partingTrouble = nil
    partingNotBefore = now + Self.partingPause
    resumeCopying()
  }

  public mutating func partingFailed(_ problem: PartingProblem, at now: Instant) {
    guard case .searching = parting else { return }
    parting = .none
    partingTrouble = nil
    switch problem {
    case .notNow(let reason):
      partingNotBefore = now + Self.partingPause
      partingTrouble = reason
    case .differs(let offset): halt(.differs(at: offset))
    case .tooMuch(let limit): halt(.tooMuch(limit: limit))
    }
  }

  public mutating func saved(_ what: SetAside, cutTo offset: Offset) {
    guard case .searching = parting else { return }
    partingTrouble = nil
    parting = .saved(what, cutTo: offset)
  }

  /// What is to be cut off now.
  /// - Parameter recorded: what the metadata says was set aside of the partition.
  public func mayCut(_ recorded: [SetAside]) -> (what: SetAside, cutTo: Offset)? {
    guard case .saved(let what, let offset) = parting,
      recorded.contains(what) || planted == .cutsBeforeItIsWrittenDown
    else { return nil }
    return (what, offset)
  }

  /// - Parameter isDone: false when the log has changed since; then it is looked for anew.
  public mutating func cutOff(_ isDone: Bool, in epoch: LeaderEpoch) {
    guard case .saved = parting else { return }
    parting = isDone ? .cut(in: epoch) : .none
  }

  /// This broker leads in another epoch.
  public mutating func epochBegan(_ epoch: LeaderEpoch) {
    switch parting {
    case .none: break
    case .searching, .saved: parting = .none
    case .cut(let old) where epoch > old:
      parting = .none
      if phase != .stopped { resumeCopying() }
    case .cut: break
    }
  }
}
