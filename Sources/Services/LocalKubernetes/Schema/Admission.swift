import JSONValue
import KubernetesAPI

extension LocalStore {
  /// What happens to every object before it is written: unknown fields, defaults, checks. Returns warnings.
  func admit(
    _ object: inout JSON, _ current: JSON, _ definition: ResourceDefinition, _ version: String, _ options: WriteOptions
  ) throws(APIFailure) -> [String] {
    try checkMetadata(object, definition)
    guard definition.isCustom else {
      BuiltInDefaults.fill(&object, definition.name)
      let causes = BuiltInChecks.causes(object, current, definition.name)
      if !causes.isEmpty { throw .invalid(definition.kind, definition.name.group, object.name, causes) }
      if definition.name == .definitions { establish(&object, options) }
      return []
    }
    guard let schema = definition.version(version)?.schema, !schema.isNull else { return [] }
    var unknown: [String] = []
    object = StructuralSchema.pruned(object, schema, unknown: &unknown)
    if options.unknownFields == .strict && !unknown.isEmpty {
      let words = unknown.map { "unknown field \"\($0)\"" }.joined(separator: ", ")
      throw .badRequest(
        "\(definition.kind) in version \"\(version)\" cannot be handled as a \(definition.kind): "
          + "strict decoding error: \(words)")
    }
    object = StructuralSchema.defaulted(object, schema)
    var checked = object
    checked.remove("metadata")
    var rules = schema
    rules["properties"].remove("metadata")
    let causes = Validation.causes(checked, rules)
    if !causes.isEmpty { throw .invalid(definition.kind, definition.name.group, object.name, causes) }
    return options.unknownFields == .warn ? unknown.map { "unknown field \"\($0)\"" } : []
  }

  func checkName(_ object: JSON, _ definition: ResourceDefinition) throws(APIFailure) {
    let name = object.name
    var cause: APIFailure.Cause?
    if name.isEmpty {
      cause = .init(
        reason: "FieldValueRequired", message: "Required value: name or generateName is required",
        field: "metadata.name")
    } else if definition.name.group != "rbac.authorization.k8s.io" && !isSubdomain(name) {
      cause = .init(
        reason: "FieldValueInvalid",
        message: "Invalid value: \(JSON(name).text()): a lowercase RFC 1123 subdomain must consist of lower case "
          + "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        field: "metadata.name")
    }
    if let cause { throw .invalid(definition.kind, definition.name.group, name, [cause]) }
  }

  private func checkMetadata(_ object: JSON, _ definition: ResourceDefinition) throws(APIFailure) {
    for field in ["labels", "annotations"] {
      let value = object["metadata"][field]
      if !value.isNull && value.texts == nil {
        throw .badRequest(
          "\(definition.kind) cannot be handled: metadata.\(field) must be an object whose values are strings")
      }
    }
  }

  private func isSubdomain(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    func isAlphanumeric(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) }
    guard bytes.count <= 253, let first = bytes.first, let last = bytes.last else { return false }
    return isAlphanumeric(first) && isAlphanumeric(last)
      && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
  }

  /// A definition is served from the moment it is written.
  private func establish(_ object: inout JSON, _ options: WriteOptions) {
    var names = object["spec"]["names"]
    let kind = names["kind"].string ?? ""
    if names["singular"].isNull { names["singular"] = JSON(kind.lowercased()) }
    if names["listKind"].isNull { names["listKind"] = JSON(kind + "List") }
    object["spec"]["names"] = names
    if object["spec"]["conversion"].isNull { object["spec"]["conversion"] = ["strategy": "None"] }
    object["status"]["acceptedNames"] = names
    let storage = object["spec"]["versions"].elements.first { $0["storage"] == true }?["name"] ?? .null
    object["status"]["storedVersions"] = .array([storage])
    guard object["status"]["conditions"].isNull else { return }
    let time = JSON(KubernetesTime.text(options.now))
    func condition(_ type: String, _ reason: String, _ message: String) -> JSON {
      [
        "type": JSON(type), "status": "True", "reason": JSON(reason), "message": JSON(message),
        "lastTransitionTime": time,
      ]
    }
    object["status"]["conditions"] = [
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ]
  }
}
