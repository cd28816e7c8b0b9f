public import JSONValue

/// The CustomResourceDefinitions of every kind: `crds/` holds them as text.
public enum Definitions {
  public static var all: [JSON] {
    [
      definition(of: KafkaCluster.self), definition(of: KafkaMirror.self), definition(of: KafkaTopic.self),
      definition(of: Region.self),
    ]
  }

  public static func definition<R: Resource>(of type: R.Type) -> JSON {
    let columns = R.columns.map { column -> JSON in
      var json: JSON = [
        "name": .string(column.name), "jsonPath": .string(column.path), "type": .string(column.type),
        "description": .string(column.about),
      ]
      if column.priority != 0 { json["priority"] = JSON(column.priority) }
      return json
    }
    let schema: JSON = [
      "type": "object", "description": .string(R.about), "required": ["spec"],
      "properties": [
        "apiVersion": ["type": "string", "description": "The version of this schema."],
        "kind": ["type": "string", "description": "The kind of this object."],
        "metadata": ["type": "object"],
        "spec": R.Spec.schema("What is wanted."),
        "status": R.Status.schema("What is, as far as the operator knows."),
      ],
    ]
    return [
      "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
      "metadata": ["name": .string("\(R.plural).\(Marks.group)")],
      "spec": [
        "group": .string(Marks.group), "scope": "Namespaced",
        "names": [
          "kind": .string(R.kind), "listKind": .string(R.kind + "List"), "plural": .string(R.plural),
          "singular": .string(R.kind.lowercased()), "shortNames": JSON(R.shortNames), "categories": ["kafka"],
        ],
        "versions": [
          [
            "name": "v1alpha1", "served": true, "storage": true, "schema": ["openAPIV3Schema": schema],
            "subresources": ["status": [:]], "additionalPrinterColumns": .array(columns),
          ]
        ],
      ],
    ]
  }
}
