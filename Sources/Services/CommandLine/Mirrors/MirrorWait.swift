import KafkaClient

/// Waits for a change of sides, which a cluster takes in steps of its own, and says what it waits for as often as that is
/// something else.
struct MirrorWait {
  let name: String
  /// `failover`, `switchover` or `failback`: the state that was asked for.
  let verb: String
  let console: Console

  private static let patience = Duration.seconds(60)
  private static let interval = Duration.milliseconds(100)
  /// For so long brokers may not have read yet what was asked for.
  private static let begin = Duration.seconds(2)

  /// - Parameter isDone: looks at each view, the first and the last one included.
  /// - Returns: the view that is done.
  /// - Throws: `Failure` after a minute, in which the cluster goes on by itself, and where somebody has given it up.
  func callAsFunction(of client: ClusterClient, until isDone: (MirrorView) -> Bool) async throws -> MirrorView {
    let end = ContinuousClock.now + Self.patience
    var lastAsked = ContinuousClock.now
    var told: String?
    while true {
      let view = try await MirrorView(name, of: client)
      if isDone(view) { return view }
      let now = ContinuousClock.now
      let state = view.settings["state"] ?? "not there"
      if state == verb { lastAsked = now }
      guard now < lastAsked + Self.begin else {
        throw Failure("the \(verb) of \(name) was given up: the mirror is \(state) now")
      }
      let reason = view.problems.first { $0.topic.isEmpty }?.problem
      guard now < end else {
        let wayBack = verb == "switchover" ? "; mirrors resume \(name) gives it up" : ""
        throw Failure(
          "the \(verb) of \(name) was asked for, is not done yet, and goes on: "
            + "\(reason ?? "see mirrors status \(name)")\(wayBack)")
      }
      if let reason, reason != told { console.note("the \(verb) of \(name) goes on: \(reason)") }
      told = reason ?? told
      try await Task.sleep(for: Self.interval)
    }
  }
}
