import JSONValue
import KubernetesAPI

extension LocalStore {
  /// Server-side apply: what the configuration names is the manager's, what it named before and names no longer is
  /// taken away, and what others own is a conflict unless forced.
  mutating func apply(
    _ name: ResourceName, version: String, _ key: ObjectKey, _ config: JSON, subresource: String = "",
    isForced: Bool = false, _ options: WriteOptions
  ) throws(APIFailure) -> Written {
    let definition = try served(name, version)
    guard config["metadata"]["managedFields"].isNull else {
      throw .badRequest("metadata.managedFields must be nil")
    }
    var config = config
    let hasStatus = definition.version(version)?.hasStatus == true
    if subresource.isEmpty && hasStatus { config.remove("status") }
    if subresource == "status" { config = onlyStatus(config) }
    let shape = Shape(definition, version)
    let wanted = ManagedFields.ownable(config)
    let write = FieldWrite(
      options, apiVersion: definition.apiVersion(version), subresource: subresource, operation: .apply)
    var own = ManagedFields.Entry(write)
    own.fields = wanted == [:] ? FieldSet() : FieldSet(of: wanted, shape)
    guard let current = object(name, key) else {
      guard subresource.isEmpty else { throw .notFound(name, key.name) }
      if config["metadata"]["uid"].string != nil {
        throw .conflict(name, key.name, "uid mismatch: the object is absent")
      }
      config["metadata"]["name"] = JSON(key.name)
      config["metadata"].remove("resourceVersion")
      var managed = ManagedFields([])
      managed.entries = [own]
      config["metadata"]["managedFields"] = managed.json
      return try create(name, version: version, namespace: key.namespace, config, options)
    }
    if let asked = config["metadata"]["resourceVersion"].string, asked != current["metadata"]["resourceVersion"].string
    {
      throw .conflict(name, key.name)
    }
    var managed = ManagedFields(current["metadata"]["managedFields"].elements)
    let live = served(current, definition, version)
    var merged = live.applying(config.withoutNulls(), shape)
    let changed = FieldChanges(
      from: ManagedFields.ownable(live), to: ManagedFields.ownable(merged), shape
    ).set.intersection(own.fields)
    try settle(&managed, changed, write, isForced)
    merged = prune(merged, &managed, &own, write, shape)
    managed.entries.append(own)
    return try replace(
      current, with: merged, definition, version, subresource, options, managed: managed.json)
  }

  private func onlyStatus(_ config: JSON) -> JSON {
    JSON.object(
      JSON.Object(["apiVersion", "kind", "metadata", "status"].map { ($0, config[$0]) }.filter { !$0.1.isNull }))
  }

  /// Finds those who own what would change: they lose it by force, or keep it and the apply fails.
  private func settle(
    _ managed: inout ManagedFields, _ changed: FieldSet, _ write: FieldWrite, _ isForced: Bool
  ) throws(APIFailure) {
    var causes: [APIFailure.Cause] = []
    for place in managed.entries.indices where !managed.entries[place].isOf(write) {
      let entry = managed.entries[place]
      let lost = entry.fields.intersection(changed)
      if lost.isEmpty { continue }
      if isForced {
        managed.entries[place].fields = entry.fields.subtracting(lost)
        continue
      }
      let part = entry.subresource.isEmpty ? "" : " with subresource \"\(entry.subresource)\""
      let words = "conflict with \"\(entry.manager)\"\(part) using \(entry.apiVersion)"
      causes += lost.paths.map { .init(reason: "FieldManagerConflict", message: words, field: $0) }
    }
    guard !causes.isEmpty else { return }
    let listed =
      causes.count == 1
      ? " \(causes[0].message): \(causes[0].field)"
      : causes.map { "\n\($0.message): \($0.field)" }.joined()
    throw APIFailure(
      code: 409, reason: "Conflict",
      message: "Apply failed with \(causes.count) conflict\(causes.count == 1 ? "" : "s"):\(listed)",
      details: [
        "causes": .array(
          causes.map { ["reason": JSON($0.reason), "message": JSON($0.message), "field": JSON($0.field)] })
      ])
  }

  /// Takes away what the manager named before, names no longer, and nobody else owns.
  private func prune(
    _ merged: JSON, _ managed: inout ManagedFields, _ own: inout ManagedFields.Entry, _ write: FieldWrite,
    _ shape: Shape
  ) -> JSON {
    guard let place = managed.entries.firstIndex(where: { $0.isOf(write) }) else { return merged }
    let before = managed.entries.remove(at: place)
    if before.fields == own.fields { own.time = before.time }
    let others = managed.entries.reduce(FieldSet()) { $0.union($1.fields) }
    let dropped = before.fields.subtracting(own.fields).subtracting(others)
    if dropped.isEmpty { return merged }
    var pruned = merged.removing(dropped, shape)
    // Identity is no field of anybody.
    for field in ["apiVersion", "kind", "metadata"] where pruned[field].isNull { pruned[field] = merged[field] }
    return pruned
  }
}
