import JSONValue
import KubernetesAPI
import Vocabulary

/// What other controllers of a cluster do: claims are bound, pods get the one node, Services get endpoints, budgets
/// are counted.
struct Housekeeping {
  let now: Timestamp
  /// The name of the only node.
  let node: String

  func run(_ store: inout LocalStore) {
    bindClaims(&store)
    StatefulSets(now: now).reconcile(&store)
    schedule(&store)
    for service in store.objects(.services) where service["spec"]["selector"].object?.isEmpty == false {
      writeEndpoints(of: service, &store)
    }
    for budget in store.objects(.budgets) { count(budget, &store) }
    for secret in store.objects(.secrets) { giveToken(secret, &store) }
    forgetEvents(&store)
  }

  /// Events are kept for an hour.
  private func forgetEvents(_ store: inout LocalStore) {
    let hour: Int64 = 3_600_000
    let oldest = KubernetesTime.text(Timestamp(milliseconds: now.milliseconds - hour))
    for name in [ResourceName.events, .newEvents] {
      for event in store.objects(name) {
        // Times of one form compare as texts do.
        let last = event["lastTimestamp"].string ?? event["metadata"]["creationTimestamp"].string ?? oldest
        if last < oldest { store.remove(name, key(event)) }
      }
    }
  }

  /// A Secret for the token of a service account gets one when the account is there.
  private func giveToken(_ secret: JSON, _ store: inout LocalStore) {
    guard secret["type"].string == "kubernetes.io/service-account-token", secret["data"]["token"].isNull,
      let name = secret["metadata"]["annotations"]["kubernetes.io/service-account.name"].string,
      store.object(.serviceAccounts, ObjectKey(namespace: secret.namespace, name: name)) != nil
    else { return }
    var filled = secret
    let token = ServiceAccountName(namespace: secret.namespace, name: name).token
    filled["data"]["token"] = JSON(Base64.encode(Array(token.utf8)))
    filled["data"]["namespace"] = JSON(Base64.encode(Array(secret.namespace.utf8)))
    store.put(.secrets, key(secret), filled)
  }

  private func key(_ object: JSON) -> ObjectKey { ObjectKey(namespace: object.namespace, name: object.name) }

  private func bindClaims(_ store: inout LocalStore) {
    for claim in store.objects(.claims) where !claim.isBeingDeleted {
      let wanted = claim["spec"]["resources"]["requests"]["storage"]
      if claim["status"]["phase"] == "Bound" && claim["status"]["capacity"]["storage"] == wanted { continue }
      var bound = claim
      bound["spec"]["volumeName"] = JSON("pvc-\(claim.uid)")
      if bound["spec"]["storageClassName"].isNull { bound["spec"]["storageClassName"] = "standard" }
      bound["status"] = [
        "phase": "Bound", "accessModes": claim["spec"]["accessModes"], "capacity": ["storage": wanted],
      ]
      store.put(.claims, key(claim), bound)
    }
  }

  /// Every pod runs here, unless it asks for a node with other labels.
  private func schedule(_ store: inout LocalStore) {
    let labels = store.object(.nodes, ObjectKey(name: node))?["metadata"]["labels"] ?? .null
    for pod in store.objects(.pods) where pod["spec"]["nodeName"].string == nil && !pod.isBeingDeleted {
      let selector = pod["spec"]["nodeSelector"].members
      var changed = pod
      if selector.allSatisfy({ labels[$0.key] == $0.value }) {
        changed["spec"]["nodeName"] = JSON(node)
        changed["status"]["conditions"] = [condition("PodScheduled", "True", "", "")]
      } else {
        let words = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        if pod["status"]["conditions"][0]["reason"] == "Unschedulable" { continue }
        changed["status"]["conditions"] = [condition("PodScheduled", "False", "Unschedulable", words)]
      }
      store.put(.pods, key(pod), changed)
    }
  }

  private func condition(_ type: String, _ status: String, _ reason: String, _ message: String) -> JSON {
    var condition: JSON = [
      "type": JSON(type), "status": JSON(status), "lastTransitionTime": JSON(KubernetesTime.text(now)),
    ]
    if !reason.isEmpty { condition["reason"] = JSON(reason) }
    if !message.isEmpty { condition["message"] = JSON(message) }
    return condition
  }

  private func port(_ port: JSON, of pod: JSON) -> JSON {
    let target = port["targetPort"].isNull ? port["port"] : port["targetPort"]
    guard let name = target.string else { return target }
    for container in pod["spec"]["containers"].elements {
      for declared in container["ports"].elements where declared["name"].string == name {
        return declared["containerPort"]
      }
    }
    return port["port"]
  }

  private func writeEndpoints(of service: JSON, _ store: inout LocalStore) {
    let selector = service["spec"]["selector"]
    let publishesAll = service["spec"]["publishNotReadyAddresses"] == true
    let pods = store.objects(.pods).filter { pod in
      pod.namespace == service.namespace && pod["status"]["podIP"].string != nil
        && selector.members.allSatisfy { pod["metadata"]["labels"][$0.key] == $0.value }
    }
    func address(_ pod: JSON) -> JSON {
      var address: JSON = [
        "ip": pod["status"]["podIP"], "nodeName": JSON(node),
        "targetRef": [
          "kind": "Pod", "name": JSON(pod.name), "namespace": JSON(pod.namespace), "uid": JSON(pod.uid),
        ],
      ]
      if pod["spec"]["subdomain"].string == service.name { address["hostname"] = pod["spec"]["hostname"] }
      return address
    }
    let isShown = { (pod: JSON) in publishesAll || StatefulSets.isReady(pod) }
    let ports = service["spec"]["ports"].elements.map { declared -> JSON in
      var port: JSON = ["port": port(declared, of: pods.first ?? .null), "protocol": declared["protocol"]]
      if !declared["name"].isNull { port["name"] = declared["name"] }
      return port
    }
    var subset: JSON = ["addresses": .array(pods.filter(isShown).map(address))]
    let waiting = pods.filter { !isShown($0) }.map(address)
    if !waiting.isEmpty { subset["notReadyAddresses"] = .array(waiting) }
    if !ports.isEmpty { subset["ports"] = .array(ports) }
    let metadata: JSON = [
      "name": JSON(service.name), "namespace": JSON(service.namespace), "ownerReferences": [owner(service)],
    ]
    place(.endpoints, ["metadata": metadata, "subsets": pods.isEmpty ? [] : [subset]], &store)
    var slice: JSON = ["metadata": metadata, "addressType": "IPv4", "ports": .array(ports)]
    slice["metadata"]["name"] = JSON(service.name + "-local")
    slice["metadata"]["labels"] = ["kubernetes.io/service-name": JSON(service.name)]
    slice["endpoints"] = .array(
      pods.map { pod in
        let isReady = JSON(isShown(pod))
        return [
          "addresses": [pod["status"]["podIP"]], "nodeName": JSON(node), "hostname": JSON(pod.name),
          "conditions": ["ready": isReady, "serving": isReady, "terminating": JSON(pod.isBeingDeleted)],
          "targetRef": address(pod)["targetRef"],
        ]
      })
    place(.endpointSlices, slice, &store)
  }

  private func owner(_ service: JSON) -> JSON {
    [
      "apiVersion": "v1", "kind": "Service", "name": JSON(service.name), "uid": JSON(service.uid), "controller": true,
    ]
  }

  /// Creates the object or makes it as it should be.
  private func place(_ name: ResourceName, _ object: JSON, _ store: inout LocalStore) {
    let options = WriteOptions(manager: "endpoint-controller", now: now)
    let key = ObjectKey(namespace: object.namespace, name: object.name)
    if store.object(name, key) == nil {
      _ = try? store.create(name, version: "v1", namespace: key.namespace, object, options)
    } else {
      _ = try? store.update(name, version: "v1", key, object, options)
    }
  }

  private func count(_ budget: JSON, _ store: inout LocalStore) {
    let selector = LabelSelector(object: budget["spec"]["selector"])
    let pods = store.objects(.pods).filter {
      $0.namespace == budget.namespace && selector.matches($0["metadata"]["labels"])
    }
    let healthy = pods.count(where: StatefulSets.isReady)
    let spec = budget["spec"]
    let desired =
      spec["minAvailable"].isNull
      ? max(0, pods.count - amount(spec["maxUnavailable"], of: pods.count))
      : amount(spec["minAvailable"], of: pods.count)
    var object = budget
    object["metadata"].remove("resourceVersion")
    object["status"] = [
      "currentHealthy": JSON(healthy), "desiredHealthy": JSON(desired), "expectedPods": JSON(pods.count),
      "disruptionsAllowed": JSON(max(0, healthy - desired)),
      "observedGeneration": budget["metadata"]["generation"],
    ]
    _ = try? store.update(
      .budgets, version: "v1", key(budget), object, subresource: "status",
      WriteOptions(manager: "disruption-controller", now: now))
  }

  private func amount(_ value: JSON, of count: Int) -> Int {
    if let number = value.int { return number }
    guard let text = value.string, text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
    return (count * percent + 99) / 100
  }
}

extension LocalStore {
  /// Why a pod may not be evicted now; nil when it may.
  func budgetAgainstEviction(of pod: JSON) -> String? {
    objects(.budgets).first { budget in
      budget.namespace == pod.namespace && budget["status"]["disruptionsAllowed"].int ?? 0 <= 0
        && LabelSelector(object: budget["spec"]["selector"]).matches(pod["metadata"]["labels"])
    }?.name
  }
}
