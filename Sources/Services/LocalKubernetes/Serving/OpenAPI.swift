import JSONValue

/// The descriptions that kubectl asks for before it writes: version 3 says that the server itself checks fields, so
/// that kubectl leaves it to it; version 2 is as empty as may be, and then kubectl checks nothing.
enum OpenAPI {
  /// An empty document in the protobuf form that clients insist on: swagger "2.0" and a title.
  static let version2Protobuf: [UInt8] = {
    let info: [UInt8] = [0x0A, 10] + Array("Swiftwater".utf8) + [0x12, 2] + Array("v1".utf8)
    return [0x0A, 3] + Array("2.0".utf8) + [0x12, UInt8(info.count)] + info
  }()
  static let version2: JSON = ["swagger": "2.0", "info": ["title": "Swiftwater", "version": "v1"], "paths": [:]]

  static func index(_ store: LocalStore) -> JSON {
    var paths: [String: JSON] = ["api/v1": ["serverRelativeURL": "/openapi/v3/api/v1"]]
    for group in Discovery.groups(store) {
      for version in group.versions {
        let path = "apis/\(group.name)/\(version)"
        paths[path] = ["serverRelativeURL": JSON("/openapi/v3/\(path)")]
      }
    }
    return ["paths": .object(JSON.Object(paths.map { ($0.key, $0.value) }))]
  }

  static func document(_ store: LocalStore, group: String, version: String) -> JSON {
    var paths: [(String, JSON)] = []
    var schemas: [(String, JSON)] = []
    let root = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
    for kind in store.kinds.values where kind.definition.name.group == group {
      let definition = kind.definition
      guard let declared = definition.version(version) else { continue }
      let identity: JSON = ["group": JSON(group), "version": JSON(version), "kind": JSON(definition.kind)]
      let place = definition.isNamespaced ? "/namespaces/{namespace}" : ""
      let parameters: JSON = .array(
        ["fieldValidation", "dryRun", "fieldManager", "force"].map {
          ["name": JSON($0), "in": "query", "schema": ["type": "string", "uniqueItems": true]]
        })
      let operation: JSON = [
        "parameters": parameters, "responses": ["200": ["description": "OK"]],
        "x-kubernetes-group-version-kind": identity,
      ]
      paths.append(("\(root)\(place)/\(definition.name.plural)/{name}", ["patch": operation]))
      var schema = declared.schema.isNull ? ["type": "object"] : declared.schema
      schema["x-kubernetes-group-version-kind"] = [identity]
      let name = (group.split(separator: ".").reversed().map(String.init) + [version, definition.kind])
        .joined(separator: ".")
      schemas.append((name, schema))
    }
    return [
      "openapi": "3.0.0", "info": ["title": "Swiftwater", "version": "v1"],
      "paths": .object(JSON.Object(paths)), "components": ["schemas": .object(JSON.Object(schemas))],
    ]
  }
}
