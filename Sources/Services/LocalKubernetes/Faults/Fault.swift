public import Vocabulary

/// Something that goes wrong on purpose, for those requests that match.
public struct Fault: Sendable {
  public enum Effect: Sendable {
    /// The request is answered later.
    case slow(TimeSpan)
    /// The request is never answered, until the fault is taken away: a dead server whose connections stay.
    case hang
    /// The connection is closed without an answer, and nothing is done.
    case close
    /// An answer with this status, such as 429 or 500, and nothing is done.
    case refuse(code: Int, retryAfterSeconds: Int? = nil)
    /// A write is answered as if another writer had been faster.
    case conflict
    /// A watch or a continued list is answered with 410.
    case expire
  }
  public var effect: Effect
  /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; nil for all. `write` stands for
  /// the last five.
  public var verb: String?
  public var resource: ResourceName?
  public var name: String?
  /// How many requests it meets; nil for all.
  public var times: Int?

  public init(
    _ effect: Effect, verb: String? = nil, resource: ResourceName? = nil, name: String? = nil, times: Int? = nil
  ) {
    self.effect = effect
    self.verb = verb
    self.resource = resource
    self.name = name
    self.times = times
  }

  func meets(_ request: APIRequest) -> Bool {
    if let verb, verb != request.verb && !(verb == "write" && request.isWrite) { return false }
    if let resource, resource != request.target?.resource { return false }
    if let name, name != request.target?.name && name != request.body.name { return false }
    return times != 0
  }
}

/// What is wrong with a server at the moment.
struct Faults: Sendable {
  var list: [Fault] = []
  /// Nobody but the Region's own processes reaches the server.
  var isCut = false
  /// Callers, by the Region that they belong to, whose requests hang.
  var refusedRegions: Set<String> = []
  /// Watches hear nothing, but stay open.
  var areWatchesStale = false
  /// Watches that began in an earlier epoch are broken off.
  var watchEpoch = 0
  /// After so many writes the server falls silent, the last of them done and not answered.
  var writesLeft: Int?

  /// The effects on a request, each counted.
  mutating func take(for request: APIRequest) -> [Fault.Effect] {
    var effects: [Fault.Effect] = []
    for place in list.indices where list[place].meets(request) {
      effects.append(list[place].effect)
      if let times = list[place].times { list[place].times = times - 1 }
    }
    // A fault that holds requests stays until it is taken away, also when it holds no further ones.
    list.removeAll { fault in
      if case .hang = fault.effect { false } else { fault.times == 0 }
    }
    return effects
  }
}
