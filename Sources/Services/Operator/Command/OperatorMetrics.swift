import KubernetesAPI
import Telemetry

extension MetricRegistry {
  /// What the members are like, and the caches of each.
  func tell(of membership: Membership) {
    collect("operator_member_seen", help: "1 while a member's API server answers.", kind: .gauge) { [weak membership] in
      guard let membership else { return [] }
      return Sights(membership).sights.sorted { $0.key < $1.key }.map { name, sight in
        MetricSample(["member": name], sight == .seen ? 1 : 0)
      }
    }
    let figures: [(String, String, Kind, @Sendable (Informer<Held>) -> Int)] = [
      ("operator_cache_objects", "Objects that are kept of a resource.", .gauge, { $0.count }),
      ("operator_cache_current", "1 while a watch says what changes.", .gauge, { $0.contact == .current ? 1 : 0 }),
      ("operator_cache_lists_total", "How often everything was asked for.", .counter, { $0.asked.lists }),
      ("operator_cache_watches_total", "How often a watch began.", .counter, { $0.asked.watches }),
      ("operator_cache_expired_total", "Lists and watches that were too old to go on.", .counter, { $0.asked.expired }),
    ]
    for (figure, help, kind, read) in figures {
      collect(figure, help: help, kind: kind) { [weak membership] in
        (membership?.members ?? [:]).sorted { $0.key < $1.key }.flatMap { member, door in
          (door.caches?.informers ?? [:]).sorted { $0.key.name < $1.key.name }.map { type, informer in
            MetricSample(["member": member, "resource": type.name], Double(read(informer)))
          }
        }
      }
    }
  }
}
