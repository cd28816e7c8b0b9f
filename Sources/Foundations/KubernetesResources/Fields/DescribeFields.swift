public import JSONValue

extension Fields {
  /// The structural OpenAPI schema (apiextensions.k8s.io/v1) of this part.
  public static func schema(_ about: String) -> JSON {
    var value = Self()
    var listing = FieldListing()
    value.fields(&listing)
    var schema: JSON = [
      "type": "object", "description": .string(about), "properties": .object(JSON.Object(listing.properties)),
    ]
    if !listing.required.isEmpty { schema["required"] = JSON(listing.required) }
    if !rules.isEmpty {
      schema["x-kubernetes-validations"] = .array(
        rules.map { ["rule": .string($0.rule), "message": .string($0.message)] })
    }
    return schema
  }
}

struct FieldListing: FieldCoder {
  var properties: [(String, JSON)] = []
  var required: [String] = []

  private mutating func add(
    _ name: String, _ about: String, _ schema: JSON, _ presence: Presence? = nil, default value: JSON? = nil
  ) {
    var schema = schema
    schema["description"] = .string(about)
    switch presence {
    case .required: required.append(name)
    case .defaulted: if let value { schema["default"] = value }
    case nil: break
    }
    properties.append((name, schema))
  }

  private func schema(_ form: TextForm) -> JSON {
    if form == .quantity {
      // As Kubernetes' own quantities: 1 may be written without quotation marks.
      return [
        "x-kubernetes-int-or-string": true, "anyOf": [["type": "integer"], ["type": "string"]],
        "pattern": JSON(form.pattern),
      ]
    }
    var schema: JSON = ["type": "string", "maxLength": JSON(form.lengthMax)]
    if let pattern = form.pattern { schema["pattern"] = .string(pattern) }
    return schema
  }

  private func schema(_ range: ClosedRange<Int>) -> JSON {
    var schema: JSON = ["type": "integer", "minimum": JSON(range.lowerBound)]
    schema["format"] = range.upperBound > Int(Int32.max) ? "int64" : "int32"
    if range.upperBound < .max { schema["maximum"] = JSON(range.upperBound) }
    return schema
  }

  mutating func text(_ name: String, _ value: inout String, _ form: TextForm, _ presence: Presence, _ about: String) {
    add(name, about, schema(form), presence, default: .string(value))
  }
  mutating func text(_ name: String, _ value: inout String?, _ form: TextForm, _ about: String) {
    add(name, about, schema(form))
  }
  mutating func number(
    _ name: String, _ value: inout Int, _ range: ClosedRange<Int>, _ presence: Presence, _ about: String
  ) {
    add(name, about, schema(range), presence, default: JSON(value))
  }
  mutating func number(_ name: String, _ value: inout Int?, _ range: ClosedRange<Int>, _ about: String) {
    add(name, about, schema(range))
  }
  mutating func flag(_ name: String, _ value: inout Bool, _ about: String) {
    add(name, about, ["type": "boolean"], .defaulted, default: .bool(value))
  }
  mutating func choice<E: Choice>(_ name: String, _ value: inout E, _ presence: Presence, _ about: String) {
    let schema: JSON = ["type": "string", "enum": JSON(E.allCases.map(\.rawValue))]
    add(name, about, schema, presence, default: .string(value.rawValue))
  }
  mutating func texts(_ name: String, _ value: inout [String], _ form: TextForm, max: Int, _ about: String) {
    // A list whose order means nothing to the schema: nobody merges two halves of it.
    var schema: JSON = [
      "type": "array", "items": schema(form), "maxItems": JSON(max), "x-kubernetes-list-type": "atomic",
    ]
    if !value.isEmpty { schema["default"] = JSON(value) }
    add(name, about, schema)
  }
  mutating func numbers(_ name: String, _ value: inout [Int], max: Int, _ about: String) {
    let items = schema(0...Int(Int32.max))
    add(name, about, ["type": "array", "items": items, "maxItems": JSON(max), "x-kubernetes-list-type": "atomic"])
  }
  mutating func textMap(_ name: String, _ value: inout [String: String], _ form: TextForm, _ about: String) {
    let pairs = JSON(ResourceLimits.pairsMax)
    add(name, about, ["type": "object", "additionalProperties": schema(form), "maxProperties": pairs])
  }
  mutating func numberMap(_ name: String, _ value: inout [String: Int], _ range: ClosedRange<Int>, _ about: String) {
    let pairs = JSON(ResourceLimits.pairsMax)
    add(name, about, ["type": "object", "additionalProperties": schema(range), "maxProperties": pairs])
  }
  mutating func part<F: Fields>(_ name: String, _ value: inout F, _ presence: Presence, _ about: String) {
    // An empty object makes the API server fill in the defaults of the fields in it.
    add(name, about, F.schema(about), presence, default: [:])
  }
  mutating func part<F: Fields>(_ name: String, _ value: inout F?, _ about: String) {
    add(name, about, F.schema(about))
  }
  mutating func parts<F: Fields>(_ name: String, _ value: inout [F], key: String?, max: Int, _ about: String) {
    var schema: JSON = ["type": "array", "items": F.schema("One of \(name)."), "maxItems": JSON(max)]
    schema["x-kubernetes-list-type"] = key == nil ? "atomic" : "map"
    if let key { schema["x-kubernetes-list-map-keys"] = [.string(key)] }
    add(name, about, schema)
  }
}
