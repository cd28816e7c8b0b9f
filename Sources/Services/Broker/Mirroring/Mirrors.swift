import ClusterMetadata
import EventLoop
import LogStorage
import MirrorPlanning
import Synchronization
import Telemetry
import Vocabulary

/// Every mirror that writes topics of this cluster, as far as this node has a part in it.
///
/// What a mirror is and how far it is stands in the metadata and in the logs: a node that takes over needs nothing else.
final class Mirrors: Sendable {
  private static let interval = TimeSpan.milliseconds(200)
  /// While a mirror changes sides: each step of that waits for the one before.
  static let hurry = TimeSpan.milliseconds(50)
  private unowned let broker: Broker
  private let room = MirrorRoom()
  private let state = Mutex(State())

  private struct State {
    var links: [String: Entry] = [:]
    var isStopped = false
    var isInAHurry: Bool { links.values.contains { $0.order.changesSides } }
  }

  init(_ broker: Broker) { self.broker = broker }

  func start() { tickLater() }

  private func tickLater() {
    let pause = state.withLock { $0.isInAHurry } ? Self.hurry : Self.interval
    broker.loops[0].schedule(after: pause) { [weak broker] in
      guard let broker else { return }
      broker.pool.run {
        guard !self.state.withLock({ $0.isStopped }) else { return }
        self.tick(broker)
        self.tickLater()
      }
    }
  }

  private func tick(_ broker: Broker) {
    let image = broker.image
    let names = image.mirrors
    guard !names.isEmpty || state.withLock({ !$0.links.isEmpty }) else { return }
    let orders = names.compactMap { MirrorOrder($0, in: image) }
    let (current, gone) = bringInLine(orders, broker)
    for entry in gone { entry.stop() }
    let standing = room.look(
      broker.storage.folders, broker.inherited(image), fetches: current.reduce(0) { $0 + $1.link.fetching }, broker.log)
    for entry in current {
      entry.link.follow(entry.order, image, standing)
      entry.conductor.tick(entry.order, entry.link, image)
      entry.groups.tick(entry.order, entry.link, image)
    }
  }

  /// One mirror, and the parts of it that work here.
  private struct Entry: Sendable {
    var order: MirrorOrder
    let link: MirrorLink
    let conductor: MirrorConductor
    let groups: MirrorGroups

    func stop() {
      link.stop()
      groups.stop()
    }
  }

  private func bringInLine(_ orders: [MirrorOrder], _ broker: Broker) -> ([Entry], [Entry]) {
    let world = MirrorLink.World(
      loop: broker.loops[0], pool: broker.pool, settings: CopySettings(broker.settings.reader),
      table: broker.partitions, planted: broker.plantedInMirroring, log: broker.log)
    return state.withLock { state in
      var links: [String: Entry] = [:]
      var gone: [Entry] = []
      for order in orders {
        if let known = state.links[order.name], known.order.bootstrap == order.bootstrap {
          links[order.name] = known
          links[order.name]?.order = order
        } else {
          links[order.name] = Entry(
            order: order, link: MirrorLink(order, node: broker.settings.nodeID, world),
            conductor: MirrorConductor(order.name, broker), groups: MirrorGroups(order.name, broker))
        }
      }
      for (name, old) in state.links.sorted(by: { $0.key < $1.key }) where links[name]?.link !== old.link {
        gone.append(old)
      }
      state.links = links
      return (links.sorted { $0.key < $1.key }.map(\.value), gone)
    }
  }

  /// What this node knows of a mirror, as keys and values: its part of the partitions, and what the controller met.
  func status(of name: String) -> [(key: String, value: String)] {
    guard let entry = state.withLock({ $0.links[name] }) else { return [] }
    var lines = entry.link.statuses().map { (key: "status.partition.\($0)", value: $1.text) }
    if let view = entry.link.source.view {
      lines.append(("status.source.age.ms", "\((monotonicNow() - view.at).milliseconds)"))
    }
    lines += entry.groups.said.lines
    for (topic, problem) in entry.conductor.problems { lines.append(("status.problem.\(topic)", problem)) }
    return lines
  }

  /// Of every mirrored partition that is led here.
  var statuses: [(link: String, partition: TopicPartition, status: PartitionStatus)] {
    let links = state.withLock { $0.links.values.map(\.link) }.sorted { $0.name < $1.name }
    return links.flatMap { link in link.statuses().map { (link.name, $0, $1) } }
  }

  func stop() {
    let entries = state.withLock { state in
      state.isStopped = true
      defer { state.links = [:] }
      return state.links.sorted { $0.key < $1.key }.map(\.value)
    }
    for entry in entries { entry.stop() }
  }
}
