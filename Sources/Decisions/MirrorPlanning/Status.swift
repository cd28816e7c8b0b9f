public import Vocabulary

/// What the leader of a mirrored partition says about it, as one line: `state=copying start=0 end=120 …`. What is not
/// known is left out, and is never shown as zero.
public struct PartitionStatus: Hashable, Sendable {
  public enum State: String, Hashable, Sendable {
    case copying
    /// The source cannot be asked, or did not answer in a way that anything could be done with.
    case waiting
    case halted
    case stopped
  }
  public var state: State
  public var start: Offset
  public var end: Offset
  /// What is committed here.
  public var mark: Offset
  public var sourceEnd: Offset?
  public var sourceStart: Offset?
  /// How old the two are.
  public var age: TimeSpan?
  /// What was given up because the policy allowed it.
  public var accepted: [Range<Int64>] = []
  /// Transactions without an outcome in all that was copied.
  public var open: Int?
  /// Bytes that were copied since this broker leads the partition.
  public var copied: Int64?
  /// What waits for the metadata to say that it was set aside.
  public var saved: SetAside?
  /// The epoch of ours in which something was cut off: copying goes on in the next.
  public var cut: LeaderEpoch?
  /// Whether its disk has too little room left for mirrors; the reason has the figures.
  public var isShortOfRoom = false
  public var reason: String?

  public init(state: State, start: Offset, end: Offset, mark: Offset) {
    self.state = state
    self.start = start
    self.end = end
    self.mark = mark
  }

  /// A status that is not asked of a running process would be older than it says.
  public init(_ copy: PartitionCopy, start: Offset, end: Offset, mark: Offset, now: Instant) {
    self.init(state: .copying, start: start, end: end, mark: mark)
    switch copy.phase {
    case .copying: break
    case .resting:
      state = .waiting
      reason =
        copy.pendingGap.map {
          "the source removed offsets \($0.lowerBound) to \($0.upperBound - 1), which is being written down"
        }
        ?? copy.refusal.map { Self.words(of: $0) } ?? "the source did not answer with records"
    case .halted(let halt):
      state = .halted
      reason = halt.description + (copy.partingTrouble.map { "; it could not be set aside yet: \($0)" } ?? "")
    case .stopped: state = .stopped
    }
    switch copy.parting {
    case .none: break
    case .searching: (state, reason) = (.waiting, "what the source does not have is being set aside")
    case .saved(let what, _): (state, reason, saved) = (.waiting, "what was set aside is being written down", what)
    case .cut(let epoch): (state, reason, cut) = (.waiting, "a new leader epoch is to begin", epoch)
    }
    sourceEnd = copy.reading?.highWatermark
    sourceStart = copy.reading?.logStart
    age = copy.reading.map { now - $0.at }
    accepted = copy.namedGaps
  }

  /// Nothing is asked for while the disk has no room, where anything would be.
  public mutating func lacksRoom(_ why: String) {
    guard state == .copying || state == .waiting, saved == nil, cut == nil else { return }
    (state, reason, isShortOfRoom) = (.waiting, why, true)
  }

  /// What people can do something about, they are told.
  private static func words(of refusal: ErrorCode) -> String {
    switch refusal {
    case .unsupportedVersion:
      "the source is older than Kafka 2.8: topics have no ids there; swiftwater mirror copies by their names"
    case .unsupportedForMessageFormat:
      "the source has records here in the format from before Kafka 0.11, which is not copied: a consumer has to read "
        + "them and a producer to write them anew"
    case .corruptMessage: "the source sent what is no whole batch with a right checksum"
    case let code: "the source answers \(code)"
    }
  }

  /// Offsets that the source has and the copy has not, as far as is known.
  public var lag: Int64? { sourceEnd.map { max(0, $0 - end) } }

  public var text: String {
    var words = ["state=\(state.rawValue)", "start=\(start.value)", "end=\(end.value)", "mark=\(mark.value)"]
    if let sourceEnd { words.append("source.end=\(sourceEnd.value)") }
    if let sourceStart { words.append("source.start=\(sourceStart.value)") }
    if let age { words.append("age.ms=\(age.milliseconds)") }
    if !accepted.isEmpty {
      words.append("gaps=" + accepted.map { "\($0.lowerBound)-\($0.upperBound - 1)" }.joined(separator: ","))
    }
    if let open { words.append("open=\(open)") }
    if let copied { words.append("copied=\(copied)") }
    if let saved { words.append("saved=\(saved.text)") }
    if let cut { words.append("cut=\(cut.value)") }
    if isShortOfRoom { words.append("room=short") }
    if let reason { words.append("reason=\(reason)") }
    return words.joined(separator: " ")
  }

  /// Nil for what is no such line.
  public init?(text: String) {
    var rest = Substring(text)
    var values: [Substring: Substring] = [:]
    while let equals = rest.firstIndex(of: "=") {
      let key = rest[..<equals]
      let after = rest[rest.index(after: equals)...]
      // The reason is the last, and has blanks in it.
      let end = key == "reason" ? after.endIndex : after.firstIndex(of: " ") ?? after.endIndex
      values[key] = after[..<end]
      rest = end == after.endIndex ? "" : after[after.index(after: end)...]
    }
    func number(_ key: Substring) -> Int64? { values[key].flatMap { Int64($0) } }
    guard let state = values["state"].flatMap({ State(rawValue: String($0)) }), let start = number("start"),
      let end = number("end"), let mark = number("mark")
    else { return nil }
    self.init(state: state, start: Offset(start), end: Offset(end), mark: Offset(mark))
    sourceEnd = number("source.end").map { Offset($0) }
    sourceStart = number("source.start").map { Offset($0) }
    age = number("age.ms").map { .milliseconds($0) }
    open = number("open").map { Int(clamping: $0) }
    copied = number("copied")
    saved = values["saved"].flatMap { SetAside(text: String($0)) }
    cut = values["cut"].flatMap { Int32($0) }.map { LeaderEpoch($0) }
    isShortOfRoom = values["room"] == "short"
    reason = values["reason"].map(String.init)
    accepted = (values["gaps"] ?? "").split(separator: ",").compactMap { part in
      let ends = part.split(separator: "-").compactMap { Int64($0) }
      return ends.count == 2 && ends[0] <= ends[1] && ends[1] < .max ? ends[0]..<ends[1] + 1 : nil
    }
  }
}
