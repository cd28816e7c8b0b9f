import Vocabulary

/// One request or timer being worked on: what it may know, and what it has brought about so far.
struct Turn {
  let now: Moment
  let settings: GroupSettings
  var effects: [GroupEffect] = []

  mutating func answer(_ token: Token, _ answer: GroupAnswer) { effects.append(.answer(token, answer)) }

  /// In as many appends as their size asks for. A crash between two of them does no harm: each offset stands for
  /// itself, and a target that is only half written is not of the group's epoch, so that it is computed again.
  mutating func append(_ records: [GroupRecord], by writer: RecordWriter = .coordinator) {
    var piece: [GroupRecord] = []
    var size = 0
    for record in records {
      let more = record.sizeEstimate
      if !piece.isEmpty && size + more > settings.appendMax.value {
        effects.append(.append(piece, by: writer))
        piece = []
        size = 0
      }
      piece.append(record)
      size += more
    }
    if !piece.isEmpty { effects.append(.append(piece, by: writer)) }
  }

  func isTooLarge(_ record: GroupRecord) -> Bool { record.sizeEstimate > settings.appendMax.value }
}
