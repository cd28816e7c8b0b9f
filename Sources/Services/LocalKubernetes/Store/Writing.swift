import JSONValue
import KubernetesAPI
import Vocabulary

/// Who writes, when and how.
struct WriteOptions: Sendable {
  var manager = "unknown"
  var now: Timestamp
  var isDryRun = false
  /// What to do about fields that the schema does not know.
  var unknownFields = UnknownFields.warn
  enum UnknownFields: String, Sendable { case ignore = "Ignore", warn = "Warn", strict = "Strict" }
}

/// A written object, and what its author should be told.
struct Written: Sendable {
  var object: JSON
  var warnings: [String] = []
}

extension LocalStore {
  mutating func create(
    _ name: ResourceName, version: String, namespace: String?, _ object: JSON, _ options: WriteOptions
  ) throws(APIFailure) -> Written {
    let definition = try served(name, version)
    var object = try addressed(object, definition, namespace)
    if !(object["metadata"]["resourceVersion"].string ?? "").isEmpty {
      throw .badRequest("resourceVersion should not be set on objects to be created")
    }
    if object.name.isEmpty, let prefix = object["metadata"]["generateName"].string, !prefix.isEmpty {
      object["metadata"]["name"] = JSON(prefix + String(uid().suffix(5)))
    }
    try checkName(object, definition)
    let key = ObjectKey(namespace: object.namespace, name: object.name)
    if kinds[name]?.objects[key] != nil { throw .alreadyExists(name, key.name) }
    try checkNamespace(key, definition)
    object["apiVersion"] = JSON(definition.apiVersion(version))
    if definition.version(version)?.hasStatus == true, definition.isCustom { object.remove("status") }
    let warnings = try admit(&object, .null, definition, version, options)
    object["metadata"]["uid"] = JSON(uid())
    object["metadata"]["creationTimestamp"] = JSON(KubernetesTime.text(options.now))
    object["metadata"].remove("deletionTimestamp")
    if definition.hasGeneration { object["metadata"]["generation"] = 1 }
    if object["metadata"]["managedFields"].isNull {
      let write = FieldWrite(options, apiVersion: definition.apiVersion(version), subresource: "")
      object["metadata"]["managedFields"] = ManagedFields([]).updated(
        from: .null, to: object, by: write, shape: Shape(definition, version))
    }
    if options.isDryRun { return Written(object: object, warnings: warnings) }
    return Written(object: put(name, key, stored(object, definition)), warnings: warnings)
  }

  /// Replaces an object or one of its subresources.
  mutating func update(
    _ name: ResourceName, version: String, _ key: ObjectKey, _ object: JSON, subresource: String = "",
    _ options: WriteOptions
  ) throws(APIFailure) -> Written {
    let definition = try served(name, version)
    let current = try get(name, key)
    var object = try addressed(object, definition, key.namespace)
    guard object.name.isEmpty || object.name == key.name else {
      throw .badRequest("the name of the object (\(object.name)) does not match the name on the URL (\(key.name))")
    }
    let asked = object["metadata"]["resourceVersion"].string ?? ""
    if !asked.isEmpty && asked != current["metadata"]["resourceVersion"].string { throw .conflict(name, key.name) }
    if let uid = object["metadata"]["uid"].string, uid != current.uid {
      throw .conflict(
        name, key.name,
        "Precondition failed: UID in precondition: \(uid), UID in object meta: \(current.uid)")
    }
    object["apiVersion"] = JSON(definition.apiVersion(version))
    return try replace(current, with: object, definition, version, subresource, options, managed: nil)
  }

  /// The common end of update, patch and apply. `managed` is what server-side apply has worked out about owners.
  mutating func replace(
    _ current: JSON, with object: JSON, _ definition: ResourceDefinition, _ version: String, _ subresource: String,
    _ options: WriteOptions, managed: JSON?
  ) throws(APIFailure) -> Written {
    let key = ObjectKey(namespace: current.namespace, name: current.name)
    var object = keepingIdentity(object, current)
    let hasStatus = definition.version(version)?.hasStatus == true
    if subresource == "status" {
      var changed = current
      changed["apiVersion"] = object["apiVersion"]
      changed["status"] = object["status"]
      if object["status"].isNull { changed.remove("status") }
      object = changed
    } else if hasStatus {
      object["status"] = current["status"]
      if current["status"].isNull { object.remove("status") }
    }
    let warnings = try admit(&object, current, definition, version, options)
    if definition.hasGeneration, isNewGeneration(current, object, ignoringStatus: hasStatus) {
      object["metadata"]["generation"] = JSON((current["metadata"]["generation"].int64 ?? 0) + 1)
    }
    if let managed {
      object["metadata"]["managedFields"] = managed
    } else {
      let write = FieldWrite(options, apiVersion: definition.apiVersion(version), subresource: subresource)
      let before = ManagedFields(current["metadata"]["managedFields"].elements)
      object["metadata"]["managedFields"] = before.updated(
        from: served(current, definition, version), to: object, by: write, shape: Shape(definition, version))
    }
    object = stored(object, definition)
    if withoutManagers(object) == withoutManagers(current), managed == nil || sameOwners(object, current) {
      return Written(object: current, warnings: warnings)
    }
    if options.isDryRun { return Written(object: object, warnings: warnings) }
    let written = put(definition.name, key, object)
    if written.isBeingDeleted && finalizers(written).isEmpty { finish(definition.name, key) }
    return Written(object: written, warnings: warnings)
  }

  /// What a client cannot change.
  private func keepingIdentity(_ object: JSON, _ current: JSON) -> JSON {
    var object = object
    if object["metadata"].isNull { object["metadata"] = [:] }
    for field in [
      "name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp",
      "deletionGracePeriodSeconds", "managedFields",
    ] {
      let value = current["metadata"][field]
      if value.isNull { object["metadata"].remove(field) } else { object["metadata"][field] = value }
    }
    for field in ["labels", "annotations"] where object["metadata"][field] == [:] { object["metadata"].remove(field) }
    for field in ["finalizers", "ownerReferences"] where object["metadata"][field] == [] {
      object["metadata"].remove(field)
    }
    object["kind"] = current["kind"]
    return object
  }

  private func isNewGeneration(_ old: JSON, _ new: JSON, ignoringStatus: Bool) -> Bool {
    func substance(_ object: JSON) -> JSON {
      var object = object
      for field in ["metadata", "apiVersion"] + (ignoringStatus ? ["status"] : []) { object.remove(field) }
      return object
    }
    return substance(old) != substance(new)
  }

  private func withoutManagers(_ object: JSON) -> JSON {
    var object = object
    object["metadata"].remove("managedFields")
    return object
  }

  /// Whether two objects have the same owners of fields; the times do not matter.
  private func sameOwners(_ a: JSON, _ b: JSON) -> Bool {
    func owners(_ object: JSON) -> [JSON] {
      object["metadata"]["managedFields"].elements.map {
        var entry = $0
        entry.remove("time")
        return entry
      }
    }
    return Set(owners(a)) == Set(owners(b))
  }

  func served(_ name: ResourceName, _ version: String) throws(APIFailure) -> ResourceDefinition {
    guard let definition = kinds[name]?.definition, definition.version(version) != nil else { throw .noSuchPath }
    return definition
  }

  /// An object as a version shows it: conversion changes the version's name and nothing else.
  func served(_ object: JSON, _ definition: ResourceDefinition, _ version: String) -> JSON {
    var object = object
    object["apiVersion"] = JSON(definition.apiVersion(version))
    return object
  }

  private func stored(_ object: JSON, _ definition: ResourceDefinition) -> JSON {
    served(object, definition, definition.storageVersion)
  }

  func finalizers(_ object: JSON) -> [String] { object["metadata"]["finalizers"].strings ?? [] }

  /// Checks that body and path speak of the same kind and namespace.
  private func addressed(_ object: JSON, _ definition: ResourceDefinition, _ namespace: String?) throws(APIFailure)
    -> JSON
  {
    guard object.object != nil else { throw .badRequest("the body is not an object") }
    var object = object
    if let kind = object["kind"].string, kind != definition.kind {
      throw .badRequest("the kind of the object (\(kind)) does not match the expected kind (\(definition.kind))")
    }
    object["kind"] = JSON(definition.kind)
    guard definition.isNamespaced else {
      object["metadata"].remove("namespace")
      return object
    }
    if let told = object["metadata"]["namespace"].string, let namespace, told != namespace, !told.isEmpty {
      throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
    }
    object["metadata"]["namespace"] = JSON(namespace ?? object["metadata"]["namespace"].string ?? "default")
    return object
  }

  private func checkNamespace(_ key: ObjectKey, _ definition: ResourceDefinition) throws(APIFailure) {
    guard definition.isNamespaced else { return }
    guard let namespace = object(.namespaces, ObjectKey(name: key.namespace)) else {
      throw .notFound(.namespaces, key.namespace)
    }
    if namespace.isBeingDeleted {
      throw .forbidden(
        definition.name, key.name,
        "unable to create new content in namespace \(key.namespace) because it is being terminated")
    }
  }
}
