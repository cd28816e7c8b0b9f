import JSONValue
import KubernetesAPI
import Vocabulary

/// What a client says about a deletion.
struct DeleteOptions: Sendable {
  var uid: String?
  var resourceVersion: String?
  enum Propagation: String, Sendable { case background = "Background", foreground = "Foreground", orphan = "Orphan" }
  var propagation = Propagation.background
  var graceSeconds: Int64?

  init() {}
  init(_ body: JSON) {
    uid = body["preconditions"]["uid"].string
    resourceVersion = body["preconditions"]["resourceVersion"].string
    propagation = body["propagationPolicy"].string.flatMap(Propagation.init) ?? .background
    graceSeconds = body["gracePeriodSeconds"].int64
  }
}

extension LocalStore {
  /// Deletes an object, or marks it when finalizers or a running process hold it back. Returns the object and whether
  /// it is gone.
  mutating func delete(
    _ name: ResourceName, _ key: ObjectKey, _ options: DeleteOptions, now: Timestamp
  ) throws(APIFailure) -> (object: JSON, isGone: Bool) {
    var object = try get(name, key)
    if let uid = options.uid, uid != object.uid {
      throw .conflict(
        name, key.name, "Precondition failed: UID in precondition: \(uid), UID in object meta: \(object.uid)")
    }
    if let version = options.resourceVersion, version != object["metadata"]["resourceVersion"].string {
      throw .conflict(
        name, key.name,
        "Precondition failed: ResourceVersion in precondition: \(version), ResourceVersion in object meta: "
          + (object["metadata"]["resourceVersion"].string ?? ""))
    }
    var isHeld = !finalizers(object).isEmpty
    var grace: Int64 = 0
    if name == .pods, object["spec"]["nodeName"].string != nil {
      // The process ends first; who runs it then deletes without grace.
      grace = max(0, options.graceSeconds ?? object["spec"]["terminationGracePeriodSeconds"].int64 ?? 30)
      isHeld = isHeld || grace > 0
    }
    if options.propagation == .orphan { orphan(object) }
    if name == .namespaces { isHeld = isHeld || !isEmpty(namespace: key.name) }
    if name == .definitions { removeAll(of: object) }
    guard isHeld else {
      let gone = remove(name, key) ?? object
      collectOrphans(of: object.uid, now: now)
      return (gone, true)
    }
    if object.isBeingDeleted && (name != .pods || options.graceSeconds == nil) { return (object, false) }
    if !object.isBeingDeleted {
      object["metadata"]["deletionTimestamp"] = JSON(
        KubernetesTime.text(Timestamp(milliseconds: now.milliseconds + grace * 1000)))
    }
    object["metadata"]["deletionGracePeriodSeconds"] = JSON(grace)
    if name == .namespaces { object["status"]["phase"] = "Terminating" }
    let marked = put(name, key, object)
    if name == .namespaces { empty(namespace: key.name, now: now) }
    let left = self.object(name, key)
    return (left ?? marked, left == nil)
  }

  /// Removes what was marked, now that nothing holds it.
  mutating func finish(_ name: ResourceName, _ key: ObjectKey) {
    guard let object = object(name, key) else { return }
    // A pod goes when its process has.
    if name == .pods, object["spec"]["nodeName"].string != nil,
      object["metadata"]["deletionGracePeriodSeconds"].int64 ?? 0 > 0
    {
      return
    }
    remove(name, key)
    collectOrphans(of: object.uid, now: Timestamp(milliseconds: 0))
    let namespace = ObjectKey(name: key.namespace)
    if let owner = self.object(.namespaces, namespace), owner.isBeingDeleted { finishNamespace(namespace) }
  }

  /// Whatever belonged to an owner that is gone, and to no other that is there, goes too.
  mutating func collectOrphans(of uid: String, now: Timestamp) {
    guard !uid.isEmpty else { return }
    for (name, kind) in kinds {
      for (key, object) in kind.objects {
        let owners = object["metadata"]["ownerReferences"].elements
        guard owners.contains(where: { $0["uid"].string == uid }) else { continue }
        if owners.count > 1 {
          var kept = object
          kept["metadata"]["ownerReferences"] = .array(owners.filter { $0["uid"].string != uid })
          put(name, key, kept)
        } else if !object.isBeingDeleted {
          _ = try? delete(name, key, DeleteOptions(), now: now)
        }
      }
    }
  }

  private mutating func orphan(_ owner: JSON) {
    for (name, kind) in kinds {
      for (key, object) in kind.objects {
        let owners = object["metadata"]["ownerReferences"].elements
        let others = owners.filter { $0["uid"].string != owner.uid }
        guard others.count < owners.count else { continue }
        var kept = object
        kept["metadata"]["ownerReferences"] = .array(others)
        if others.isEmpty { kept["metadata"].remove("ownerReferences") }
        put(name, key, kept)
      }
    }
  }

  private func isEmpty(namespace: String) -> Bool {
    !kinds.values.contains { kind in
      kind.definition.isNamespaced && kind.objects.keys.contains { $0.namespace == namespace }
    }
  }

  private mutating func empty(namespace: String, now: Timestamp) {
    for (name, kind) in kinds where kind.definition.isNamespaced {
      for key in kind.objects.keys.sorted() where key.namespace == namespace {
        _ = try? delete(name, key, DeleteOptions(), now: now)
      }
    }
    finishNamespace(ObjectKey(name: namespace))
  }

  private mutating func finishNamespace(_ key: ObjectKey) {
    if isEmpty(namespace: key.name) { remove(.namespaces, key) }
  }

  private mutating func removeAll(of definition: JSON) {
    guard let definition = ResourceDefinition(custom: definition),
      kinds[definition.name]?.definition.isCustom == true
    else { return }
    for key in (kinds[definition.name]?.objects.keys.sorted() ?? []) { remove(definition.name, key) }
  }
}
