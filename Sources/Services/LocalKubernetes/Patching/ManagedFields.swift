import JSONValue
import KubernetesAPI

/// One write, as the managed fields remember it.
struct FieldWrite: Sendable {
  enum Operation: String, Sendable { case apply = "Apply", update = "Update" }
  var manager: String
  var operation = Operation.update
  var apiVersion: String
  var subresource: String
  /// In the form of Kubernetes.
  var time: String

  init(_ options: WriteOptions, apiVersion: String, subresource: String, operation: Operation = .update) {
    manager = options.manager
    self.operation = operation
    self.apiVersion = apiVersion
    self.subresource = subresource
    time = KubernetesTime.text(options.now)
  }
}

/// Who owns which fields of an object.
struct ManagedFields: Sendable {
  struct Entry: Sendable {
    var manager: String
    var operation: String
    var apiVersion: String
    var subresource: String
    var time: String
    var fields: FieldSet

    init(_ object: JSON) {
      manager = object["manager"].string ?? ""
      operation = object["operation"].string ?? ""
      apiVersion = object["apiVersion"].string ?? ""
      subresource = object["subresource"].string ?? ""
      time = object["time"].string ?? ""
      fields = FieldSet(fieldsV1: object["fieldsV1"])
    }

    init(_ write: FieldWrite) {
      manager = write.manager
      operation = write.operation.rawValue
      apiVersion = write.apiVersion
      subresource = write.subresource
      time = write.time
      fields = FieldSet()
    }

    func isOf(_ write: FieldWrite) -> Bool {
      manager == write.manager && operation == write.operation.rawValue && apiVersion == write.apiVersion
        && subresource == write.subresource
    }

    var object: JSON {
      var object: JSON = [
        "manager": JSON(manager), "operation": JSON(operation), "apiVersion": JSON(apiVersion), "time": JSON(time),
        "fieldsType": "FieldsV1", "fieldsV1": fields.fieldsV1,
      ]
      if !subresource.isEmpty { object["subresource"] = JSON(subresource) }
      return object
    }
  }
  var entries: [Entry]

  init(_ objects: [JSON]) { entries = objects.map(Entry.init) }

  var json: JSON { .array(entries.filter { !$0.fields.isEmpty }.map(\.object)) }

  /// After a write that is not server-side apply: what changed belongs to the writer.
  func updated(from old: JSON, to new: JSON, by write: FieldWrite, shape: Shape) -> JSON {
    let changes = FieldChanges(from: Self.ownable(old), to: Self.ownable(new), shape)
    if changes.set.isEmpty && changes.removed.isEmpty { return json }
    var after = self
    let lost = changes.set.union(changes.removed)
    var own = Entry(write)
    if let place = entries.firstIndex(where: { $0.isOf(write) }) {
      own.fields = entries[place].fields
      after.entries.remove(at: place)
    }
    for place in after.entries.indices { after.entries[place].fields = after.entries[place].fields.subtracting(lost) }
    own.fields = own.fields.subtracting(changes.removed).union(changes.set)
    after.entries.append(own)
    return after.json
  }

  /// What can have an owner.
  static func ownable(_ object: JSON) -> JSON {
    if object.isNull { return [:] }
    var object = object
    object.remove("apiVersion")
    object.remove("kind")
    for field in [
      "name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "managedFields", "selfLink",
      "deletionTimestamp", "deletionGracePeriodSeconds",
    ] { object["metadata"].remove(field) }
    if object["metadata"] == [:] || object["metadata"].isNull { object.remove("metadata") }
    return object
  }
}
