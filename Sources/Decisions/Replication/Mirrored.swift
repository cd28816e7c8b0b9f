import Vocabulary

// A leader that writes nothing of its own: it copies from the leader of the same partition in another cluster.

extension Replica {
  /// What was copied keeps the epochs in which it was written, so that both clusters can tell where their logs part.
  /// Our own epoch, which is not below them, has written nothing and leaves no trace: a follower compares by theirs.
  mutating func mirrored(
    _ epochs: [EpochStart], upTo end: Offset, at now: Instant, into effects: inout [Effect]
  ) {
    whileLeading(at: now, into: &effects) { lead, scene in
      guard end > scene.log.end else { return }
      scene.log.epochs.truncate(to: scene.log.end)
      for start in epochs where start.epoch <= lead.epoch { scene.log.epochs.begin(start.epoch, at: start.offset) }
      scene.log.end = end
      lead.reconsider(&scene)
    }
  }

  /// Followers find themselves out of range, and begin anew as well.
  mutating func mirrorRestarted(at start: Offset, at now: Instant, into effects: inout [Effect]) {
    whileLeading(at: now, into: &effects) { lead, scene in
      guard start > scene.log.end else { return }
      scene.log.restart(at: start)
      scene.effects.append(.keepHighWatermark(start))
      lead.reconsider(&scene)
    }
  }

  /// Cuts off what the source does not have, also what was committed here: every other copy is to do the same, and finds
  /// out when it fetches next. Until it has, nothing counts that it has said about itself.
  mutating func mirrorTruncated(to end: Offset, at now: Instant, into effects: inout [Effect]) {
    whileLeading(at: now, into: &effects) { lead, scene in
      guard end < scene.log.end else { return }
      if end > scene.log.start {
        scene.log.truncate(to: end)
        scene.effects.append(.truncate(to: end))
      } else {
        scene.log.restart(at: max(end, Offset.zero))
        scene.effects.append(.restart(at: scene.log.end))
      }
      lead.beginsAgain(at: scene.log.end, &scene)
      scene.effects.append(.keepHighWatermark(scene.log.highWatermark))
      lead.reconsider(&scene)
    }
  }
}
