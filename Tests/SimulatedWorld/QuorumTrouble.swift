import Consensus
import Vocabulary

// What goes wrong, what is asked of the replicas meanwhile, and how it ends.

extension QuorumSimulation {
  func makeTrouble() {
    guard isTroubled else { return }
    queue.add(.trouble, at: now + 5000 + Int64(draw(troublePause)))
    let i = draw(nodes.count)
    mark(20, i)
    switch draw(14) {
    case 0, 1: crash(i)
    case 2: for j in nodes.indices where happens(oneIn: 3) { crash(j) }
    case 3, 4: cutOff(i)
    case 5: for j in nodes.indices where j != i && happens(oneIn: 2) { cuts.insert(i * 100 + j) }
    case 6, 7:
      note("the network is whole")
      cuts = []
    case 8: part()
    case 9:
      nodes[i].clockAhead += Int64(draw(400_000))
      note("the clock of \(nodes[i].id.value) jumps")
      nodes[i].tickDue = .max
      handle(.tick, on: i)
    case 10: handle(.resign, on: i)
    case 11: wipe(i)
    default: takeSnapshot(on: i)
    }
  }

  private func cutOff(_ i: Int) {
    note("\(nodes[i].id.value) is cut off")
    for j in nodes.indices where j != i {
      cuts.insert(i * 100 + j)
      cuts.insert(j * 100 + i)
    }
  }

  /// A new leader reaches only some of the others, so that only some get what it appends.
  func loosen(_ i: Int) {
    cuts = []
    for j in nodes.indices where j != i && happens(oneIn: 2) {
      note("\(nodes[i].id.value) and \(nodes[j].id.value) are parted")
      cuts.insert(i * 100 + j)
      cuts.insert(j * 100 + i)
    }
  }

  private func part() {
    let sides = nodes.map { _ in happens(oneIn: 2) }
    note("the network parts: \(sides.map { $0 ? "A" : "B" }.joined())")
    for i in nodes.indices {
      for j in nodes.indices where sides[i] != sides[j] { cuts.insert(i * 100 + j) }
    }
  }

  /// A disk is replaced by an empty one, which gets another directory id. One voter at a time, since a majority that
  /// loses its disks loses what it promised.
  private func wipe(_ i: Int) {
    let known = nodes.compactMap(\.quorum)
    guard known.count == nodes.count else { return }
    // With a change on its way the majorities of two sets would have to survive.
    let sets = Set(known.map(keys)).subtracting([[]])
    // A voter whose directory is not known cannot be told from its successor on an empty disk.
    guard !sets.contains(where: { $0.contains(ReplicaKey(nodes[i].id)) }) else { return }
    if sets.contains(where: { $0.contains(nodes[i].key) }) {
      guard sets.count == 1, let voters = sets.first, voters.count >= 3 else { return }
      guard voters.allSatisfy(isThere) else { return }
    }
    seen.wipes += 1
    nodes[i].quorum = nil
    nodes[i].directory = newDirectory()
    nodes[i].disk = QuorumDisk(formattedVoters: VoterSet())
    note("\(nodes[i].id.value) gets an empty disk")
    queue.add(.start(i), at: now + 1000 + Int64(draw(50_000)))
  }

  /// Whether the disk of a voter is still the one that it had.
  private func isThere(_ key: ReplicaKey) -> Bool {
    key.directory == .zero || nodes.contains { $0.key == key }
  }

  private func keys(_ quorum: Quorum) -> [ReplicaKey] { quorum.log.voters.voters.map(\.key) }

  /// A controller proposes records to whoever thinks that it leads, and an administrator changes the voters.
  func work() {
    queue.add(.work, at: now + 2000 + Int64(draw(isTroubled ? 30_000 : 20_000)))
    let leaders = nodes.indices.filter { nodes[$0].quorum?.isLeader == true }
    guard !leaders.isEmpty else { return }
    let i = leaders[draw(leaders.count)]
    guard let quorum = nodes[i].quorum else { return }
    mark(21, i)
    if isTroubled, happens(oneIn: oddsOfVoterChange) {
      changeVoters(through: i, quorum)
      return
    }
    let proposals = (0...draw(3)).map { _ in
      defer { nextName += 1 }
      return Proposal(name: nextName, count: Int32(1 + draw(3)))
    }
    handle(.propose(epoch: quorum.epoch, proposals), on: i)
  }

  private func changeVoters(through i: Int, _ quorum: Quorum) {
    let voters = quorum.log.voters
    let nobody = Asker(node: nil, incarnation: 0, id: RequestID(0), vote: nil)
    let gone = voters.voters.map(\.key).filter { !isThere($0) }
    let request: Request
    if let key = gone.first {
      request = .removeVoter(key)
    } else if happens(oneIn: 2) {
      request = .addVoter(Voter(nodes[draw(nodes.count)].key))
    } else {
      guard voters.count > 2 else { return }
      request = .removeVoter(voters.voters[draw(voters.count)].key)
    }
    deliver(request, nobody, to: i)
  }

  // MARK: Healing

  func heal() {
    note("everything is whole again")
    isTroubled = false
    cuts = []
    healedAt = now
    for i in nodes.indices { queue.add(.start(i), at: now + Int64(draw(1000))) }
  }

  /// One leader whom all follow, and records on all of them that were proposed after the last fault.
  var hasRecovered: Bool {
    var leader: Quorum?
    for node in nodes {
      guard let quorum = node.quorum else { return false }
      if quorum.isLeader {
        if leader != nil { return false }
        leader = quorum
      }
    }
    guard let leader else { return false }
    guard let goal else {
      if leader.highWatermark >= promises.committedEnd { goal = leader.log.end + 1 }
      return false
    }
    return nodes.allSatisfy { node in
      guard let quorum = node.quorum else { return false }
      return quorum.epoch == leader.epoch && quorum.leader == leader.local.key.id && quorum.highWatermark >= goal
    }
  }

  var summary: String {
    nodes.map { node in
      guard let quorum = node.quorum else { return "\(node.id.value) down" }
      return "\(QuorumWords.text(node.key)) \(quorum.roleName) epoch \(quorum.epoch.value) "
        + "leader \(QuorumWords.text(quorum.leader)) end \(quorum.log.end.value) committed "
        + "\(quorum.highWatermark.value) voters \(QuorumWords.text(quorum.log.voters))"
    }.joined(separator: "; ")
  }
}
