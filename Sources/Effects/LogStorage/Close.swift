import Synchronization
import Vocabulary

/// How a closed log was left.
public enum CloseOutcome: Sendable {
  /// Everything is durable; the next start may trust it.
  case clean
  /// It had failed before, or failed while it was closed: the next start must recover.
  case unclean(StorageError)
}

extension PartitionLog {
  /// Makes everything durable, writes indexes and producers for a quick start, and ends the log.
  /// Closing twice is harmless.
  @discardableResult
  public func close() -> CloseOutcome {
    do throws(StorageError) {
      let wasOpen = try state.withLock { state throws(StorageError) -> Bool in
        switch state.condition {
        case .closed: return false
        case .failed(let error): throw error
        case .open: break
        }
        // Nothing was ever written here: if even the folder is lost with the power, opening makes it again.
        if state.endOffset == .zero { return false }
        try saveIndex(&state)
        if state.endOffset > state.startOffset || !state.producers.isEmpty {
          try saveProducers(&state, at: state.endOffset)
        }
        return true
      }
      if wasOpen { try flush() }
      end()
      return .clean
    } catch {
      end()
      return .unclean(error)
    }
  }

  /// Ends the log as a crash would: nothing is written. For a partition that is deleted, and for tests.
  ///
  /// A sync, retention or swap that is under way ends first, and afterwards nothing opens a file by its name any
  /// more: the folder's name may belong to another log from now on.
  public func abandon() {
    housekeeping.withLock { _ in
      syncing.withLock { _ in
        end()
        state.withLock { state in
          for segment in state.segments { segment.log.discard(openFiles) }
        }
      }
    }
  }

  private func end() {
    state.withLock { state in
      if case .failed = state.condition {} else { state.condition = .closed }
      for segment in state.segments { segment.log.release(openFiles) }
    }
  }
}
