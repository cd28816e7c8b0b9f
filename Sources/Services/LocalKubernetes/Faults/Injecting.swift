import EventLoop
import HTTP
import Synchronization
import Vocabulary

/// What tests and people may break.
extension LocalAPIServer {
  public func inject(_ fault: Fault) { state.withLock { $0.faults.list.append(fault) } }

  /// Everything is as it should be again. What was compacted or broken off stays so.
  public func heal() {
    state.withLock { state in
      let epoch = state.faults.watchEpoch
      state.faults = Faults()
      state.faults.watchEpoch = epoch
    }
    ringAll()
  }

  /// Breaks off every watch; clients may begin again at once.
  public func cutWatches() {
    state.withLock { $0.faults.watchEpoch += 1 }
    ringAll()
  }

  /// Watches hear nothing as long as this is so, and afterwards everything that they missed.
  public func setWatchesStale(_ isStale: Bool) {
    state.withLock { $0.faults.areWatchesStale = isStale }
    if !isStale { ringAll() }
  }

  /// Forgets what happened before: watches from an older resource version get 410.
  public func compact() {
    state.withLock { state in
      for name in state.store.kinds.keys { state.store.forgetHistory(name, keeping: 0) }
    }
  }

  /// The n-th write from now is done but not answered, and then the server is dead until healed.
  public func crash(afterWrites count: Int) { state.withLock { $0.faults.writesLeft = count } }

  /// Nobody but callers of the own Region is answered.
  public func setCut(_ isCut: Bool) {
    state.withLock { state in
      state.faults.isCut = isCut
      // Strangers' watches do not go on.
      if isCut { state.faults.watchEpoch += 1 }
    }
    ringAll()
  }

  /// Callers of another Region are not answered.
  public func setRefused(_ region: String, _ isRefused: Bool) {
    state.withLock { state in
      if isRefused { state.faults.refusedRegions.insert(region) } else { state.faults.refusedRegions.remove(region) }
      if isRefused { state.faults.watchEpoch += 1 }
    }
    ringAll()
  }

  private func ringAll() {
    let bells = state.withLock { $0.watches.values.map(\.bell) + $0.bells }
    for bell in bells { bell.ring() }
  }

  /// What shall go wrong with a request.
  struct Weather: Sendable {
    var effects: [Fault.Effect]
    var isUnreachable: Bool
  }

  func weather(for request: APIRequest) -> Weather {
    state.withLock { state in
      Weather(effects: state.faults.take(for: request), isUnreachable: isUnreachable(request.http, state.faults))
    }
  }

  private func isUnreachable(_ http: WaitingRequest, _ faults: Faults) -> Bool {
    let caller = http.header("authorization").flatMap { header in
      header.hasPrefix("Bearer region:") ? String(header.dropFirst("Bearer region:".count)) : nil
    }
    if faults.writesLeft == 0 { return true }
    if faults.isCut && caller != settings.name { return true }
    return caller.map(faults.refusedRegions.contains) ?? false
  }

  /// Waits as long as the caller is not to be answered; false when the server stops meanwhile.
  func hang(_ http: WaitingRequest, isForced: Bool) -> Bool {
    guard let bell = try? Bell() else { return false }
    listen(bell)
    defer { unlisten(bell) }
    while true {
      let (isOver, isStopping) = state.withLock { state in
        let isHeld =
          isForced
          ? state.faults.list.contains { if case .hang = $0.effect { true } else { false } }
          : isUnreachable(http, state.faults)
        return (!isHeld, state.isStopping)
      }
      if isStopping { return false }
      if isOver { return true }
      bell.wait(milliseconds: 500)
    }
  }

  /// Counts a write that was done; false when its answer is to be lost.
  func countWrite() -> Bool {
    state.withLock { state in
      guard let left = state.faults.writesLeft, left > 0 else { return true }
      state.faults.writesLeft = left - 1
      return left > 1
    }
  }
}
