import JSONValue

/// What structural schemas do to an object before it is checked: unknown fields go, defaults come.
enum StructuralSchema {
  /// The value without the fields that the schema does not know; their paths are added to `unknown`.
  static func pruned(_ value: JSON, _ schema: JSON, _ path: String = "", isRoot: Bool = true, unknown: inout [String])
    -> JSON
  {
    switch value {
    case .object(var object):
      let properties = schema["properties"]
      let further = schema["additionalProperties"]
      let isEmbedded = isRoot || schema["x-kubernetes-embedded-resource"] == true
      for key in object.keys {
        guard let member = object[key] else { continue }
        let inner = path.isEmpty ? key : "\(path).\(key)"
        if isEmbedded && ["apiVersion", "kind", "metadata"].contains(key) { continue }
        if !properties[key].isNull {
          object[key] = .some(pruned(member, properties[key], inner, isRoot: false, unknown: &unknown))
        } else if further.object != nil {
          object[key] = .some(pruned(member, further, inner, isRoot: false, unknown: &unknown))
        } else if schema["x-kubernetes-preserve-unknown-fields"] != true && further != true {
          object[key] = nil
          unknown.append(inner)
        }
      }
      return .object(object)
    case .array(let items):
      guard !schema["items"].isNull else { return value }
      var kept: [JSON] = []
      for (place, item) in items.enumerated() {
        kept.append(pruned(item, schema["items"], "\(path)[\(place)]", isRoot: false, unknown: &unknown))
      }
      return .array(kept)
    default: return value
    }
  }

  /// The value with the schema's defaults where nothing is said. A null that may not be is as good as nothing.
  static func defaulted(_ value: JSON, _ schema: JSON) -> JSON {
    switch value {
    case .object(var object):
      for property in schema["properties"].members {
        let isAllowedNull = property.value["nullable"] == true
        var member = object[property.key]
        if member?.isNull == true && !isAllowedNull && !property.value["default"].isNull { member = nil }
        if member == nil && !property.value["default"].isNull { member = property.value["default"] }
        if let member { object[property.key] = .some(defaulted(member, property.value)) }
      }
      let further = schema["additionalProperties"]
      if further.object != nil {
        for key in object.keys where schema["properties"][key].isNull {
          if let member = object[key] { object[key] = .some(defaulted(member, further)) }
        }
      }
      return .object(object)
    case .array(let items):
      return schema["items"].isNull ? value : .array(items.map { defaulted($0, schema["items"]) })
    default: return value
    }
  }
}
