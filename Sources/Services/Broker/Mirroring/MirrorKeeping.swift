import ClusterMetadata
import EventLoop
import MirrorPlanning
import Vocabulary

/// Writes into the metadata what the leaders of a mirror's partitions have found out: what was set aside, what was known of
/// the source, and what was given up. The active controller does it, at a bounded rate.
struct MirrorKeeping: Sendable {
  private let broker: Broker
  private let name: String

  init(_ broker: Broker, _ name: String) {
    self.broker = broker
    self.name = name
  }

  func proceed(then: @escaping @Sendable (MirrorSurvey?) -> Void) {
    MirrorFindings(broker, name).survey { survey in
      broker.pool.run { write(survey, then) }
    }
  }

  private func write(_ survey: MirrorSurvey, _ then: @escaping @Sendable (MirrorSurvey?) -> Void) {
    let (name, time) = (name, wallClockNow())
    broker.change { draft in
      for (place, status) in survey.statuses.sorted(by: { $0.key < $1.key }) {
        if let epoch = status.cut { draft.add(draft.image.renewMirrored(place, after: epoch, by: name)) }
      }
      draft.add(draft.image.note(Self.values(survey, draft.image, name, time), of: name))
    } then: { result in
      switch result {
      case .success: then(survey)
      case .failure: then(nil)
      }
    }
  }

  private static func values(
    _ survey: MirrorSurvey, _ image: MetadataImage, _ name: String, _ time: Timestamp
  ) -> [(key: String, value: String?)] {
    let own = image.configs(of: .mirror(name))
    var values: [(key: String, value: String?)] = []
    for (place, status) in survey.statuses.sorted(by: { $0.key < $1.key }) {
      guard let saved = status.saved else { continue }
      let key = MirrorConfigs.aside + "\(place)"
      if let list = saved.added(to: own[key]) { values.append((key, list)) }
    }
    var kept: [TopicPartition: KnownSource] = [:]
    let mirrored = Set(image.topics(mirroredBy: name).map(\.name))
    for (key, value) in own.sorted(by: { $0.key < $1.key }) where key.hasPrefix(MirrorConfigs.known) {
      let place = TopicPartition(statusKey: "status.partition." + key.dropFirst(MirrorConfigs.known.count))
      if let place, mirrored.contains(place.topic) {
        kept[place] = KnownSource(text: value)
      } else {
        // The topic is gone, or is not this mirror's any more.
        values.append((key, nil))
      }
    }
    for (place, known) in planKeeping(survey.statuses, kept: kept, now: time).sorted(by: { $0.key < $1.key }) {
      values.append((MirrorConfigs.known + "\(place)", known.text))
    }
    return values
  }
}
