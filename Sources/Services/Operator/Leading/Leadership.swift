import EventLoop
import JSONValue
import KubernetesAPI
import Synchronization
import Telemetry
import Vocabulary

/// Whether we lead the operators.
///
/// The leader is whoever holds the Lease on a majority of the members. Every majority has a member in common with every
/// other, so there is one leader at most, and losing any one API server changes nothing. The epoch is one more than
/// the highest that was seen on such a majority, and stands on the Leases and on what is written: whoever sees a newer
/// one stands down.
actor Leadership {
  struct Settings: Sendable {
    var key: ObjectKey
    var identity: String
    var duration: TimeSpan
  }
  static let epochMark = "kafka.swiftwater.dev/epoch"

  /// What others may ask at any time without waiting.
  struct Mandate: Sendable {
    var epoch: Int64 = 0
    /// Until when it is certain by the clock; nil where we do not lead.
    var until: Instant?
    func isCertain(at now: Instant) -> Bool { until.map { now < $0 } ?? false }
  }
  private struct Held {
    let lease: Lease
    let server: APIServer
  }
  private let settings: Settings
  private let log: Log
  private var leases: [String: Held] = [:]
  private var highestEpoch: Int64 = 0
  private var isOver = false
  private nonisolated let shared = Mutex(Mandate())
  private nonisolated let onChange: @Sendable (Bool) -> Void

  init(_ settings: Settings, log: Log, onChange: @escaping @Sendable (Bool) -> Void) {
    self.settings = settings
    self.log = log
    self.onChange = onChange
  }

  nonisolated var mandate: Mandate { shared.withLock { $0 } }
  nonisolated var isLeading: Bool { mandate.isCertain(at: monotonicNow()) }

  /// An object says that somebody leads with a later epoch.
  func saw(epoch: Int64) {
    guard epoch > highestEpoch else { return }
    highestEpoch = epoch
    if let until = mandate.until, monotonicNow() < until, epoch > mandate.epoch {
      log.warning("another operator leads", ["epoch": epoch])
      standDown()
    }
  }

  private func standDown() {
    let was = shared.withLock { mandate in
      defer { mandate.until = nil }
      return mandate.until != nil
    }
    if was { onChange(false) }
  }

  /// One look at all Leases. `count` is how many members there are, those that cannot be reached too.
  func attend(_ members: [String: APIServer], of count: Int) async {
    guard !isOver else { return }
    for (name, held) in leases where members[name] !== held.server { leases[name] = nil }
    for (name, server) in members where leases[name] == nil {
      leases[name] = Held(
        lease: Lease(server, settings.key, identity: settings.identity, duration: settings.duration), server: server)
    }
    let needed = max(count, 1) / 2 + 1
    if mandate.until == nil {
      await campaign(needed)
    } else {
      await renew(needed)
    }
  }

  /// Looks at all Leases at once, so that the time of all of them runs, and takes them when enough are free: one after
  /// the other, in an order that all candidates share. Of two that begin together one is first, and the other lets go.
  private func campaign(_ needed: Int) async {
    let free = await look()
    guard free.count >= needed, !isOver else { return await letGo() }
    let epoch = highestEpoch + 1
    var won = 0
    for name in free.sorted() {
      guard let lease = leases[name]?.lease else { continue }
      do throws(APIError) {
        guard try await lease.attempt(annotations: [Self.epochMark: "\(epoch)"]) else { return await letGo() }
        won += 1
      } catch { log.debug("a Lease cannot be taken", ["member": name, "because": error]) }
      await note(lease)
    }
    guard won >= needed, highestEpoch <= epoch, !isOver else { return await letGo() }
    highestEpoch = epoch
    await settle(needed, epoch)
    guard isLeading else { return }
    log.info("leads the operators", ["epoch": epoch, "leases": won, "needed": needed])
    onChange(true)
  }

  /// The members whose Lease nobody else holds.
  private func look() async -> [String] {
    let leases = self.leases.mapValues(\.lease)
    let free = await withTaskGroup(of: String?.self) { group in
      for (name, lease) in leases {
        let log = log
        group.addTask {
          do throws(APIError) { return try await lease.observe() ? name : nil } catch {
            log.debug("a Lease cannot be looked at", ["member": name, "because": error])
            return nil
          }
        }
      }
      var free: [String] = []
      for await case let name? in group { free.append(name) }
      return free
    }
    for lease in leases.values { await note(lease) }
    log.debug("looked at the Leases", ["free": free.sorted().joined(separator: ","), "of": leases.count])
    return free
  }

  /// Somebody else was first.
  private func letGo() async {
    for held in leases.values where await held.lease.isHeld() { try? await held.lease.release() }
  }

  private func renew(_ needed: Int) async {
    let epoch = mandate.epoch
    let marks = [Self.epochMark: "\(epoch)"]
    let leases = self.leases.mapValues(\.lease)
    await withTaskGroup(of: Void.self) { group in
      for (name, lease) in leases {
        let log = log
        group.addTask {
          do throws(APIError) { _ = try await lease.attempt(annotations: marks) } catch {
            log.debug("a Lease cannot be renewed", ["member": name, "because": error])
          }
        }
      }
      // Those that answer count at once, whoever else is slow.
      for await _ in group { await settle(needed, epoch) }
    }
    for lease in leases.values { await note(lease) }
    guard highestEpoch <= epoch else { return standDown() }
    if !isLeading {
      log.warning("leads no more: too few Leases are held", ["needed": needed])
      standDown()
    }
  }

  private func note(_ lease: Lease) async {
    guard let text = await lease.record?.annotations[Self.epochMark], let epoch = Int64(text) else { return }
    saw(epoch: epoch)
  }

  /// The time until which a majority is held: that of the Lease that makes it one.
  private func settle(_ needed: Int, _ epoch: Int64) async {
    var ends: [Instant] = []
    for held in leases.values {
      if let end = await held.lease.heldUntil { ends.append(end) }
    }
    ends.sort(by: >)
    let until = ends.count >= needed ? ends[needed - 1] : nil
    guard !isOver else { return }
    // Once stood down, only a campaign makes a leader again.
    shared.withLock { mandate in
      if mandate.until == nil && mandate.epoch == epoch && epoch != 0 { return }
      if let until { mandate = Mandate(epoch: epoch, until: until) }
    }
  }

  /// Nothing is written from here on, and no Lease is taken.
  func end() {
    isOver = true
    standDown()
  }

  /// Leads no more, until it is asked to attend again.
  func abstain() async {
    standDown()
    await letGo()
  }

  /// Gives everything back, so that another one need not wait.
  func resign() async {
    end()
    let leases = self.leases.values.map(\.lease)
    await withTaskGroup(of: Void.self) { group in
      for lease in leases { group.addTask { try? await lease.release() } }
    }
  }
}
