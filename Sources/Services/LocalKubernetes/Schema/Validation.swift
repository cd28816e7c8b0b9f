import JSONValue

/// Checks a value against an OpenAPI v3 schema, with the API server's words. CEL rules are not evaluated.
struct Validation {
  private(set) var causes: [APIFailure.Cause] = []

  static func causes(_ value: JSON, _ schema: JSON, at path: String = "") -> [APIFailure.Cause] {
    var validation = Validation()
    validation.check(value, schema, path)
    return validation.causes
  }

  private mutating func invalid(_ path: String, _ value: JSON, _ words: String) {
    causes.append(
      APIFailure.Cause(
        reason: "FieldValueInvalid", message: "Invalid value: \(shown(value)): \(path) in body \(words)", field: path))
  }

  /// As messages show values: large ones by their type.
  private func shown(_ value: JSON) -> String {
    switch value {
    case .object: "\"object\""
    case .array: "\"array\""
    default: value.text()
    }
  }

  private mutating func check(_ value: JSON, _ schema: JSON, _ path: String) {
    if schema.object == nil { return }
    if value.isNull {
      if schema["nullable"] != true && !schema["type"].isNull { wrongType(value, schema, path) }
      return
    }
    guard hasType(value, schema) else { return wrongType(value, schema, path) }
    if let allowed = schema["enum"].array, !allowed.contains(value) {
      let words = allowed.map { $0.text() }.joined(separator: ", ")
      causes.append(
        APIFailure.Cause(
          reason: "FieldValueNotSupported",
          message: "Unsupported value: \(shown(value)): supported values: \(words)", field: path))
    }
    switch value {
    case .string(let text): check(text: text, schema, path)
    case .integer, .number: check(number: value, schema, path)
    case .array(let items): check(items: items, schema, path)
    case .object(let object): check(members: object, schema, path)
    default: break
    }
    combine(value, schema, path)
  }

  private func hasType(_ value: JSON, _ schema: JSON) -> Bool {
    if schema["x-kubernetes-int-or-string"] == true { return value.string != nil || value.int64 != nil }
    switch schema["type"].string {
    case "object": return value.object != nil
    case "array": return value.array != nil
    case "string": return value.string != nil
    case "integer": return value.int64 != nil
    case "number": return value.double != nil
    case "boolean": return value.bool != nil
    default: return true
    }
  }

  private mutating func wrongType(_ value: JSON, _ schema: JSON, _ path: String) {
    let wanted = schema["x-kubernetes-int-or-string"] == true ? "integer,string" : schema["type"].string ?? ""
    let found =
      switch value {
      case .null: "null"
      case .bool: "boolean"
      case .integer: "integer"
      case .number: "number"
      case .string: "string"
      case .array: "array"
      case .object: "object"
      }
    causes.append(
      APIFailure.Cause(
        reason: "FieldValueTypeInvalid",
        message: "Invalid value: \"\(found)\": \(path) in body must be of type \(wanted): \"\(found)\"", field: path))
  }

  private mutating func check(text: String, _ schema: JSON, _ path: String) {
    let length = text.unicodeScalars.count
    if let least = schema["minLength"].int, length < least {
      invalid(path, .string(text), "should be at least \(least) chars long")
    }
    if let most = schema["maxLength"].int, length > most {
      causes.append(
        APIFailure.Cause(reason: "FieldValueTooLong", message: "Too long: may not be longer than \(most)", field: path))
    }
    if let pattern = schema["pattern"].string, matches(pattern: pattern, text) == false {
      invalid(path, .string(text), "should match '\(pattern)'")
    }
  }

  private mutating func check(number value: JSON, _ schema: JSON, _ path: String) {
    guard let number = value.double else { return }
    if let least = schema["minimum"].double {
      let isExclusive = schema["exclusiveMinimum"] == true
      if isExclusive ? number <= least : number < least {
        let words = isExclusive ? "greater than" : "greater than or equal to"
        invalid(path, value, "should be \(words) \(schema["minimum"])")
      }
    }
    if let most = schema["maximum"].double {
      let isExclusive = schema["exclusiveMaximum"] == true
      if isExclusive ? number >= most : number > most {
        let words = isExclusive ? "less than" : "less than or equal to"
        invalid(path, value, "should be \(words) \(schema["maximum"])")
      }
    }
    if let step = schema["multipleOf"].double, step > 0, number.truncatingRemainder(dividingBy: step) != 0 {
      invalid(path, value, "should be a multiple of \(schema["multipleOf"])")
    }
    if schema["format"] == "int32", Int32(exactly: number) == nil { invalid(path, value, "must be of type int32") }
  }

  private mutating func check(items: [JSON], _ schema: JSON, _ path: String) {
    if let least = schema["minItems"].int, items.count < least {
      invalid(path, .array(items), "should have at least \(least) items")
    }
    if let most = schema["maxItems"].int, items.count > most {
      causes.append(
        APIFailure.Cause(
          reason: "FieldValueTooMany", message: "Too many: \(items.count): must have at most \(most) items", field: path
        ))
    }
    for (place, item) in items.enumerated() { check(item, schema["items"], "\(path)[\(place)]") }
    let keys = schema["x-kubernetes-list-map-keys"].strings
    guard keys != nil || schema["x-kubernetes-list-type"] == "set" || schema["uniqueItems"] == true else { return }
    var seen: Set<JSON> = []
    for (place, item) in items.enumerated() {
      let identity = keys.map { JSON.object(JSON.Object($0.map { ($0, item[$0]) })) } ?? item
      if !seen.insert(identity).inserted {
        causes.append(
          APIFailure.Cause(
            reason: "FieldValueDuplicate", message: "Duplicate value: \(identity.text())", field: "\(path)[\(place)]"))
      }
    }
  }

  private mutating func check(members object: JSON.Object, _ schema: JSON, _ path: String) {
    for name in schema["required"].strings ?? [] where object[name] == nil {
      let field = path.isEmpty ? name : "\(path).\(name)"
      causes.append(.init(reason: "FieldValueRequired", message: "Required value", field: field))
    }
    if let least = schema["minProperties"].int, object.count < least {
      invalid(path, .object(object), "should have at least \(least) properties")
    }
    if let most = schema["maxProperties"].int, object.count > most {
      invalid(path, .object(object), "should have at most \(most) properties")
    }
    for member in object.members {
      let declared = schema["properties"][member.key]
      let inner = path.isEmpty ? member.key : "\(path).\(member.key)"
      check(member.value, declared.isNull ? schema["additionalProperties"] : declared, inner)
    }
  }

  private mutating func combine(_ value: JSON, _ schema: JSON, _ path: String) {
    for part in schema["allOf"].elements { check(value, part, path) }
    if let parts = schema["anyOf"].array, !parts.contains(where: { Self.causes(value, $0, at: path).isEmpty }) {
      invalid(path, value, "must validate at least one schema (anyOf)")
    }
    if let parts = schema["oneOf"].array, parts.count(where: { Self.causes(value, $0, at: path).isEmpty }) != 1 {
      invalid(path, value, "must validate one and only one schema (oneOf)")
    }
    if schema["not"].object != nil && Self.causes(value, schema["not"], at: path).isEmpty {
      invalid(path, value, "must not validate the schema (not)")
    }
  }
}
