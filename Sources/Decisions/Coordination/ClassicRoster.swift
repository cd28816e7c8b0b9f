import Vocabulary

/// A member of a classic group.
struct ClassicMember {
  /// Which answer it waits for. It waits for one at most: the client sends one such request at a time.
  enum Waiting {
    case nothing
    case join(Token)
    case sync(Token)
  }
  /// Until its first rebalance is over a member cannot send heartbeats, and may expire even while it waits.
  enum Seniority {
    case new
    case settled
  }
  let id: MemberID
  let instance: InstanceID?
  var client: ClientIdentity
  var sessionTimeout: TimeSpan
  var rebalanceTimeout: TimeSpan
  var protocols: [MemberProtocol]
  var assignment: [UInt8] = []
  fileprivate(set) var waiting = Waiting.nothing
  var seniority = Seniority.settled
  /// When it counts as gone.
  var sessionEnds = Instant.never

  var awaitsJoin: Bool { if case .join = waiting { true } else { false } }
  var awaitsAnything: Bool { if case .nothing = waiting { false } else { true } }
  func metadata(for name: String) -> [UInt8] { protocols.first { $0.name == name }?.metadata ?? [] }
  /// The protocol it likes best among those that all members support.
  func vote(_ supported: (String) -> Bool) -> String? { protocols.first { supported($0.name) }?.name }
}

/// The members of a classic group with the counts that every decision needs, so that none of them walks all members.
struct ClassicRoster {
  private(set) var members: [MemberID: ClassicMember] = [:]
  private(set) var statics: [InstanceID: MemberID] = [:]
  /// How many members support each protocol.
  private var supporters: [String: Int] = [:]
  /// How many members wait for the join phase to end.
  private(set) var joining = 0

  var isEmpty: Bool { members.isEmpty }
  var count: Int { members.count }
  /// Ordered, because whatever is done to all members is done in this order.
  var ids: [MemberID] { members.keys.sorted() }
  var ordered: [ClassicMember] { ids.compactMap { members[$0] } }
  /// The join phase lasts as long as the most patient member allows.
  var rebalanceTimeout: TimeSpan { members.values.map(\.rebalanceTimeout).max() ?? .zero }
  subscript(id: MemberID) -> ClassicMember? { members[id] }

  func isSupportedByAll(_ name: String) -> Bool { supporters[name, default: 0] == members.count }

  /// The protocol with the most votes among those that all support; the smaller name among equals.
  func choice() -> String? {
    var votes: [String: Int] = [:]
    for member in members.values { if let name = member.vote(isSupportedByAll) { votes[name, default: 0] += 1 } }
    return votes.max { a, b in (a.value, b.key) < (b.value, a.key) }?.key
  }

  mutating func add(_ member: ClassicMember) {
    precondition(members[member.id] == nil, "a member is added once")
    members[member.id] = member
    if let instance = member.instance { statics[instance] = member.id }
    count(member.protocols, 1)
    if member.awaitsJoin { joining += 1 }
  }

  @discardableResult mutating func remove(_ id: MemberID) -> ClassicMember? {
    guard let member = members.removeValue(forKey: id) else { return nil }
    if let instance = member.instance { statics[instance] = nil }
    count(member.protocols, -1)
    if member.awaitsJoin { joining -= 1 }
    return member
  }

  mutating func update(_ id: MemberID, _ change: (inout ClassicMember) -> Void) {
    guard var member = members[id] else { return }
    count(member.protocols, -1)
    change(&member)
    count(member.protocols, 1)
    members[id] = member
  }

  mutating func setSessionEnd(of id: MemberID, _ end: Instant) { members[id]?.sessionEnds = end }
  mutating func setAssignment(of id: MemberID, _ bytes: [UInt8]) { members[id]?.assignment = bytes }
  mutating func settle(_ id: MemberID) { members[id]?.seniority = .settled }

  /// Replaces what a member waits for, and returns what it waited for until now: the caller answers that.
  mutating func wait(_ id: MemberID, for next: ClassicMember.Waiting) -> ClassicMember.Waiting {
    guard let before = members[id] else { return .nothing }
    members[id]?.waiting = next
    joining += (members[id]?.awaitsJoin == true ? 1 : 0) - (before.awaitsJoin ? 1 : 0)
    return before.waiting
  }

  private mutating func count(_ protocols: [MemberProtocol], _ change: Int) {
    for each in protocols {
      let total = supporters[each.name, default: 0] + change
      supporters[each.name] = total == 0 ? nil : total
    }
  }
}
