import KubernetesResources
import JSONValue
public import Vocabulary

/// What to do next about one KafkaCluster.
///
/// Pure: the same situation always gives the same plan, and a situation in which everything is done gives a plan
/// without steps. The order of what is done is the order of the calls below.
public enum ClusterReconciliation {
  public static func plan(_ situation: ClusterSituation) -> Plan {
    var design = ClusterDesign(situation)
    var plan = Plan()
    if design.cluster.metadata.isBeingDeleted {
      design.takeDown(into: &plan)
      return plan
    }
    let mistakes = design.mistakes
    guard mistakes.isEmpty else {
      design.report(mistakes, into: &plan)
      return plan
    }
    guard design.recordIdentity(into: &plan) else {
      design.report([], into: &plan)
      return plan
    }
    design.takeUp(into: &plan)
    design.renderAll()
    design.applyObjects(into: &plan)
    if design.isPaused {
      plan.waits.append("The annotation \(Marks.pause) is true: nothing restarts, moves or shrinks.")
    } else {
      design.changeVoters(into: &plan)
      if !design.spreadInternalTopics(into: &plan) { design.emptyNodes(into: &plan) }
      design.collectGarbage(into: &plan)
      design.rollNodes(into: &plan)
    }
    design.report([], into: &plan)
    return plan
  }

  /// Whether a cluster that is being deleted has nothing left in any member; an unknown member may have something. Pods
  /// whose processes have ended are nothing: kubelets take up to a minute to clear up behind them. Every member has to
  /// say that it is gone, for whoever has to take away what comes late.
  public static func isGone(_ situation: ClusterSituation) -> Bool {
    let design = ClusterDesign(situation)
    return design.memberNames.allSatisfy { member in
      guard let objects = situation.members[member]?.content else { return false }
      return objects.objects.values.allSatisfy { !design.goesWithTheCluster($0) } && objects.pods.allSatisfy(\.hasEnded)
        && design.saysThatItIsGone(objects)
    }
  }

  /// What a cluster that is being deleted waits for, a sentence each, in words that stay the same while it waits for the
  /// same.
  public static func waitsForItsEnd(_ situation: ClusterSituation, _ plan: Plan) -> [String] {
    let all = situation.refused.words(of: plan) + plan.waits
    return all.isEmpty ? ["What the cluster consists of is being deleted."] : all
  }

  /// Identity and numbers that others need to talk to the cluster's brokers, as far as they are known.
  public static func bootstrapServers(_ situation: ClusterSituation) -> [String] {
    ClusterDesign(situation).bootstrapServers
  }
}

extension ClusterReconciliation {
  /// host:port of a controller as other controllers reach it; nil while that is not known.
  public static func controllerAddress(of node: NodeID, _ situation: ClusterSituation) -> String? {
    let design = ClusterDesign(situation)
    return design.nodes.first { $0.id == node }.flatMap { design.controllerEndpoint($0)?.text }
  }
}
