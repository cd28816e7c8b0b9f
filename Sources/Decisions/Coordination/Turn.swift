import Vocabulary

/// One request or timer being worked on: what it may know, and what it has brought about so far.
struct Turn {
  let now: Moment
  let settings: GroupSettings
  var effects: [GroupEffect] = []

  mutating func answer(_ token: Token, _ answer: GroupAnswer) { effects.append(.answer(token, answer)) }
  mutating func append(_ records: [GroupRecord], by writer: RecordWriter = .coordinator) {
    if !records.isEmpty { effects.append(.append(records, by: writer)) }
  }
}
