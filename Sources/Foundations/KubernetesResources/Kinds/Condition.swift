import JSONValue

/// One of `status.conditions`, as in meta/v1.
public struct Condition: Fields {
  public enum Status: String, Choice { case yes = "True", no = "False", unknown = "Unknown" }
  public var type = ""
  public var status = Status.unknown
  /// One word in CamelCase, for programs.
  public var reason = ""
  /// One sentence, for people.
  public var message = ""
  /// The generation of the spec that this is about.
  public var observedGeneration = 0
  public var lastTransitionTime = ""

  public init() {}
  public init(_ type: String, _ status: Status, _ reason: String, _ message: String) {
    self.type = type
    self.status = status
    self.reason = reason
    self.message = message
  }

  public mutating func fields<C: FieldCoder>(_ c: inout C) {
    c.text("type", &type, .any, .required, "What this says something about, such as Ready.")
    c.choice("status", &status, .required, "True, False, or Unknown when it cannot be found out.")
    c.text("reason", &reason, .any, .required, "Why, in one word for programs.")
    c.text("message", &message, .any, .required, "Why, in one sentence that says what to do.")
    c.number(
      "observedGeneration", &observedGeneration, 0...Int.max, .defaulted,
      "The generation of the spec that this is about.")
    c.text("lastTransitionTime", &lastTransitionTime, .any, .required, "When the status last became what it is.")
  }
}

extension [Condition] {
  public subscript(type: String) -> Condition? { first { $0.type == type } }

  /// These conditions for a generation, sorted by type. A condition whose status has not changed keeps its time, so
  /// that the same state written twice is the same text.
  public func settled(after before: [Condition], generation: Int, now: String) -> [Condition] {
    map { new in
      var new = new
      new.observedGeneration = generation
      let old = before[new.type]
      new.lastTransitionTime = old?.status == new.status ? old?.lastTransitionTime ?? now : now
      return new
    }.sorted { $0.type < $1.type }
  }
}
