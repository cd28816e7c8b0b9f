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

  /// - Parameter isDone: looks at each view, the first and the last one included; it is asked only once the brokers have
  ///   read what was asked for.
  /// - Returns: the view that is done.
  /// - Throws: `Failure` after a minute, in which the cluster goes on by itself, and where somebody has given it up.
  func callAsFunction(of client: ClusterClient, until isDone: (MirrorView) -> Bool) async throws -> MirrorView {
    let asked = ContinuousClock.now
    var lastAsked = asked
    var isRead = false
    var told: String?
    while true {
      // Brokers that are silent take their time to be so.
      let now = ContinuousClock.now
      let view = try await MirrorView(name, of: client)
      let state = view.settings["state"]
      isRead = isRead || state == verb || now >= asked + Self.begin
      // Who does not answer may be the one that knows of it.
      if state == verb || state == nil || !view.silent.isEmpty { lastAsked = now }
      if isDone(view), isRead || view.promoted != nil { return view }
      guard now < lastAsked + Self.begin else {
        throw Failure("the \(verb) of \(name) was given up: the mirror is \(state ?? "not there") now")
      }
      let reason = view.problems.first { $0.topic.isEmpty }?.problem
      guard now < asked + Self.patience else {
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
