import JSONValue

extension JSON {
  /// Strategic merge patch: a merge patch whose lists are merged item by item where their keys are known, with the
  /// directives `$patch: delete | replace`, `$retainKeys`, `$deleteFromPrimitiveList` and `$setElementOrder`.
  func strategicallyMerged(with patch: JSON, _ shape: Shape = .builtIn) -> JSON {
    guard case .object(let changes) = patch else { return patch }
    if patch["$patch"] == "replace" {
      return .object(JSON.Object(changes.members.filter { $0.key != "$patch" }.map { ($0.key, $0.value) }))
    }
    if patch["$patch"] == "delete" { return [:] }
    var result = object ?? JSON.Object()
    if let kept = patch["$retainKeys"].strings {
      for key in result.keys where !kept.contains(key) { result[key] = nil }
    }
    for change in changes.members where !change.key.hasPrefix("$") {
      let inner = shape.child(change.key)
      let old = result[change.key] ?? .null
      switch change.value {
      case .null: result[change.key] = nil
      case .array(let items): result[change.key] = .array(old.elements.mergedItems(items, inner))
      default: result[change.key] = old.strategicallyMerged(with: change.value, inner)
      }
    }
    for change in changes.members where change.key.hasPrefix("$deleteFromPrimitiveList/") {
      let key = String(change.key.dropFirst("$deleteFromPrimitiveList/".count))
      let gone = Set(change.value.elements)
      result[key] = .array((result[key] ?? .null).elements.filter { !gone.contains($0) })
    }
    for change in changes.members where change.key.hasPrefix("$setElementOrder/") {
      let key = String(change.key.dropFirst("$setElementOrder/".count))
      guard let items = result[key]?.array else { continue }
      result[key] = .array(items.ordered(by: change.value.elements, shape.child(key)))
    }
    return .object(result)
  }
}

extension Shape {
  /// A strategic merge knows an item by the first of its keys.
  fileprivate func strategicKey(_ item: JSON) -> JSON? {
    switch list {
    case .atomic: return nil
    case .set: return item
    case .map(let keys): return keys.first.flatMap { item[$0].isNull ? nil : item[$0] }
    }
  }
}

extension [JSON] {
  fileprivate func mergedItems(_ changes: [JSON], _ shape: Shape) -> [JSON] {
    if shape.list == .atomic { return changes }
    if changes.contains(where: { $0["$patch"] == "replace" }) {
      return changes.filter { $0["$patch"].isNull }
    }
    var result = self
    for change in changes {
      guard let key = shape.strategicKey(change) else { continue }
      let place = result.firstIndex { shape.strategicKey($0) == key }
      if change["$patch"] == "delete" {
        if let place { result.remove(at: place) }
      } else if let place {
        result[place] = shape.list == .set ? change : result[place].strategicallyMerged(with: change, shape.items)
      } else {
        result.append(shape.list == .set ? change : JSON.null.strategicallyMerged(with: change, shape.items))
      }
    }
    return result
  }

  fileprivate func ordered(by order: [JSON], _ shape: Shape) -> [JSON] {
    let places = order.map { $0.object == nil ? $0 : shape.strategicKey($0) ?? .null }
    func place(_ item: JSON) -> Int {
      guard let key = item.object == nil ? item : shape.strategicKey(item) else { return .max }
      return places.firstIndex(of: key) ?? .max
    }
    return enumerated().sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }.map(\.element)
  }
}
