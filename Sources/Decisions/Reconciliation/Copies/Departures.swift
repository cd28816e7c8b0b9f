public import JSONValue
import KubernetesResources

/// A member that was given up: somebody deleted the only Region that led to it.
///
/// It may come back, with everything that it had and with an operator of its own. All the others go on without it, and
/// what they delete and change it never hears of. So they remember since when it is gone: what is in it from before that
/// brings nothing back, and its operator does not lead as long as no Region leads to it.
public struct Departure: Hashable, Sendable {
  public let member: String
  /// When its Region was deleted: RFC 3339.
  public let since: String
  public init(_ member: String, since: String) {
    self.member = member
    self.since = since
  }

  /// The record of it in a member's namespace of operators.
  public func record(in namespace: String) -> JSON {
    let labels = [Marks.managedBy: Marks.managedByValue, Marks.left: member]
    let meta = ObjectMeta(name: Self.prefix + member, namespace: namespace, labels: labels)
    return Build.configMap(meta, ["since": since])
  }

  /// What the names of records begin with.
  public static let prefix = "swiftwater-left-"

  /// Nil for an object that is no such record.
  public init?(_ object: JSON) {
    guard let member = object["metadata"]["labels"][Marks.left].string, let since = object["data"]["since"].string
    else { return nil }
    self.init(member, since: since)
  }

  /// The steps after which every other member that can be seen knows it. `known` is what each has recorded, by the
  /// member that left.
  public func steps(in namespace: String, known: [String: View<[String: String]>]) -> [Step] {
    known.keys.sorted().compactMap { other in
      guard other != member, let records = known[other]?.content, records[member].map({ $0 < since }) ?? true else {
        return nil
      }
      return .apply(record(in: namespace), member: other)
    }
  }

  /// What the operator of the member that left does there by itself when it is back, since no leader comes there: nodes
  /// from before have no place in any cluster any more, and would register again. `sets` are the StatefulSets there.
  /// Volumes and settings stay, for a Region that leads there again.
  public func standDown(_ sets: [JSON]) -> [Step] {
    sets.compactMap { set -> (id: ObjectID, uid: String?)? in
      let meta = ObjectMeta(set)
      let isNode = meta.labels[Marks.managedBy] == Marks.managedByValue && meta.labels[Marks.node] != nil
      // What was made since then was made by somebody who knew better.
      guard isNode, !meta.isBeingDeleted, let made = meta.creationTimestamp, made < since, let id = ObjectID(set) else {
        return nil
      }
      return (id, meta.uid)
    }
    .sorted { $0.id < $1.id }.map { .delete($0.id, uid: $0.uid, member: member) }
  }

  /// Who left when, as all but those themselves say.
  public static func all(_ known: [String: View<[String: String]>]) -> [String: String] {
    var found: [String: String] = [:]
    for (teller, records) in known {
      for (member, since) in records.content ?? [:] where member != teller {
        found[member] = max(found[member] ?? "", since)
      }
    }
    return found
  }
}
