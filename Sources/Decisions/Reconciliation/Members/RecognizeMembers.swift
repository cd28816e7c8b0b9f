public import JSONValue
public import KubernetesResources

/// The ConfigMap in the namespace of the operators by which a Kubernetes cluster is known again. Its name for the
/// cluster is what people read; its uid is what no other cluster has, also not one that was built anew or restored from
/// a backup of objects.
public struct MemberMarker: Hashable, Sendable {
  /// What a marker is called.
  public static let objectName = "swiftwater-member"
  /// With this annotation people say of a marker that was made anew that the cluster is still the one that had the old.
  public static let replaces = "\(Marks.group)/replaces"

  public var name: String
  public var uid: String
  /// The uid of the one before it, if people said so.
  public var predecessor: String?

  public init(_ name: String, uid: String, predecessor: String? = nil) {
    self.name = name
    self.uid = uid
    self.predecessor = predecessor
  }

  /// Whether this uid is that of the cluster, now or before its marker was made anew.
  public func isKnown(by uid: String) -> Bool { self.uid == uid || predecessor == uid }

  /// Nil for an object that says no name.
  public init?(_ object: JSON) {
    guard let name = object["data"]["name"].string else { return nil }
    let meta = object["metadata"]
    self.init(name, uid: meta["uid"].string ?? "", predecessor: meta["annotations"][Self.replaces].string)
  }
}

/// One way to a Kubernetes cluster: the operator's own, or a Region's.
public struct MemberWay<Key: Hashable & Sendable>: Hashable, Sendable {
  public enum Found: Hashable, Sendable {
    /// It was not asked yet, or has not answered.
    case nothingYet
    /// It has answered, and has no marker.
    case noMarker
    case marker(MemberMarker)
  }
  public var key: Key
  public var found: Found
  /// What the Region's status says from before; nothing for a new Region, and for the operator's own way.
  public var recorded: Recorded

  public struct Recorded: Hashable, Sendable {
    public var member: String?
    /// Nil also where an older operator wrote the status.
    public var uid: String?
    public init(member: String? = nil, uid: String? = nil) {
      self.member = member
      self.uid = uid
    }
    public init(_ status: RegionStatus) { self.init(member: status.member, uid: status.memberUID) }
  }

  public init(_ key: Key, found: Found, recorded: Recorded = Recorded()) {
    self.key = key
    self.found = found
    self.recorded = recorded
  }

  /// Why what was found is not the recorded Kubernetes cluster; nil where it is, or where nothing is known.
  public func mismatch(in namespace: String) -> String? {
    guard let member = recorded.member else { return nil }
    let uid = recorded.uid.map { " (uid \($0))" } ?? ""
    let there: String
    switch found {
    case .nothingYet: return nil
    case .noMarker: there = "one without this ConfigMap"
    case .marker(let marker):
      let isSame = recorded.uid.map(marker.isKnown) ?? true
      if isSame, marker.name == member { return nil }
      there = "one where it names \(marker.name) (uid \(marker.uid))"
    }
    var words =
      "This Region's Kubernetes cluster is the one whose ConfigMap \(namespace)/\(MemberMarker.objectName) names "
      + "\(member)\(uid), and its kubeconfig leads to \(there). Nothing is read or written there. "
      + "Put the kubeconfig of \(member) back, or delete this Region and make it again for the other cluster."
    if let uid = recorded.uid {
      words +=
        " If it is the same cluster and only the ConfigMap was lost, let there be one with data.name \(member) and the "
        + "annotation \(MemberMarker.replaces): \(uid)."
    }
    return words
  }
}

/// Which way leads to which member.
public struct MemberRecognition<Key: Hashable & Sendable>: Sendable {
  /// What each way that leads to a member leads to.
  public private(set) var members: [Key: String] = [:]
  /// The way by which each member is read.
  public private(set) var chosen: [String: Key] = [:]
  /// Ways that lead to a Kubernetes cluster which is not the Region's, and why it is not. They are used for nothing.
  public private(set) var strangers: [Key: String] = [:]

  /// Of ways that lead to one member the first is taken, so that the operator's own has to be in front.
  public init(_ ways: [MemberWay<Key>], namespace: String) {
    var markers: [String: MemberMarker] = [:]
    // A name belongs to the cluster for which it is recorded, and not to another one that came with the same.
    let isRecorded = { (way: MemberWay<Key>) in way.recorded.member != nil }
    for way in ways.prefix(1) + ways.dropFirst().filter(isRecorded) + ways.dropFirst().filter({ !isRecorded($0) }) {
      if let why = way.mismatch(in: namespace) {
        strangers[way.key] = why
        continue
      }
      guard case .marker(let marker) = way.found else { continue }
      if let known = markers[marker.name], !known.isKnown(by: marker.uid), !marker.isKnown(by: known.uid) {
        strangers[way.key] =
          "The kubeconfig leads to a Kubernetes cluster whose ConfigMap \(namespace)/\(MemberMarker.objectName) (uid "
          + "\(marker.uid)) names \(marker.name), and so does that of another cluster (uid \(known.uid)). Nothing is read or "
          + "written there. Correct the kubeconfig, or delete the ConfigMap there if no operator uses it, so that the "
          + "cluster gets a name of its own."
        continue
      }
      markers[marker.name] = marker
      members[way.key] = marker.name
    }
    for way in ways {
      guard let member = members[way.key], chosen[member] == nil else { continue }
      chosen[member] = way.key
    }
  }
}
