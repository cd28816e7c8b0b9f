import JSONValue

extension ResourceDefinition {
  /// From a CustomResourceDefinition; nil while it lacks what a definition needs.
  init?(custom definition: JSON) {
    let spec = definition["spec"]
    let names = spec["names"]
    guard let group = spec["group"].string, let plural = names["plural"].string, let kind = names["kind"].string else {
      return nil
    }
    let declared = spec["versions"].elements
    let storage = declared.first { $0["storage"].bool == true } ?? declared.first
    guard let storageVersion = storage?["name"].string else { return nil }
    self.init(
      name: ResourceName(group, plural), singular: names["singular"].string ?? kind.lowercased(), kind: kind,
      listKind: names["listKind"].string ?? kind + "List", shortNames: names["shortNames"].strings ?? [],
      categories: names["categories"].strings ?? [], isNamespaced: spec["scope"] != "Cluster",
      versions: declared.compactMap(Version.init(custom:)), storageVersion: storageVersion, hasGeneration: true,
      isCustom: true)
    // The storage version is preferred; clients then ask for the rest in the order of the definition.
    versions.sort { $0.name == storageVersion && $1.name != storageVersion }
  }
}

extension ResourceDefinition.Version {
  fileprivate init?(custom declared: JSON) {
    guard let name = declared["name"].string else { return nil }
    self.init(name: name, isServed: declared["served"].bool ?? true, schema: declared["schema"]["openAPIV3Schema"])
    columns = declared["additionalPrinterColumns"].elements.map(TableColumn.init)
    hasStatus = declared["subresources"]["status"].object != nil
    let scaling = declared["subresources"]["scale"]
    if let spec = scaling["specReplicasPath"].string, let status = scaling["statusReplicasPath"].string {
      scale = .init(
        specPath: Self.path(spec), statusPath: Self.path(status),
        selectorPath: scaling["labelSelectorPath"].string.map(Self.path))
    }
  }

  private static func path(_ text: String) -> [String] { text.split(separator: ".").map(String.init) }
}
