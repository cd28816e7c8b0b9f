import JSONValue

extension FieldSet {
  /// The fields that a value has.
  init(of value: JSON, _ shape: Shape) {
    switch value {
    case .object(let object) where !object.isEmpty && !shape.isAtomicMap:
      self.init()
      for member in object.members {
        children[.field(member.key)] = FieldSet(of: member.value, shape.child(member.key))
      }
    case .array(let items) where !items.isEmpty && shape.list != .atomic:
      self.init()
      for item in items {
        guard let element = shape.element(item) else { continue }
        var inner = shape.list == .set ? FieldSet.leaf : FieldSet(of: item, shape.items)
        inner.isMember = true
        children[element] = inner
      }
      if children.isEmpty { isMember = true }
    default: self = .leaf
    }
  }
}

/// What differs between two states of an object.
struct FieldChanges: Sendable {
  /// New or with another value.
  var set = FieldSet()
  var removed = FieldSet()

  init() {}

  init(from old: JSON, to new: JSON, _ shape: Shape) {
    if old == new { return }
    switch (old, new) {
    case (.object(let before), .object(let after)) where !shape.isAtomicMap:
      for member in before.members where after[member.key] == nil {
        removed.children[.field(member.key)] = FieldSet(of: member.value, shape.child(member.key))
      }
      for member in after.members {
        let inner = shape.child(member.key)
        if let was = before[member.key] {
          take(FieldChanges(from: was, to: member.value, inner), at: .field(member.key))
        } else {
          set.children[.field(member.key)] = FieldSet(of: member.value, inner)
        }
      }
      if after.isEmpty { set.isMember = true }
      if before.isEmpty { removed.isMember = true }
    case (.array(let before), .array(let after)) where shape.list != .atomic:
      items(before, after, shape)
    default: set = .leaf
    }
  }

  private mutating func items(_ before: [JSON], _ after: [JSON], _ shape: Shape) {
    var old: [FieldSet.Element: JSON] = [:]
    for item in before { if let element = shape.element(item) { old[element] = item } }
    for item in after {
      guard let element = shape.element(item) else { continue }
      if let was = old.removeValue(forKey: element) {
        take(FieldChanges(from: was, to: item, shape.items), at: element)
      } else {
        var added = FieldSet(of: item, shape.items)
        if shape.list == .set { added = .leaf }
        added.isMember = true
        set.children[element] = added
      }
    }
    for (element, item) in old {
      var gone = shape.list == .set ? FieldSet.leaf : FieldSet(of: item, shape.items)
      gone.isMember = true
      removed.children[element] = gone
    }
  }

  private mutating func take(_ inner: FieldChanges, at element: FieldSet.Element) {
    if !inner.set.isEmpty { set.children[element] = inner.set }
    if !inner.removed.isEmpty { removed.children[element] = inner.removed }
  }
}

extension JSON {
  /// This value with everything that an applied configuration says.
  func applying(_ config: JSON, _ shape: Shape) -> JSON {
    switch (self, config) {
    case (.object(var object), .object(let wanted)) where !shape.isAtomicMap:
      for member in wanted.members {
        let inner = shape.child(member.key)
        object[member.key] = member.value.isNull ? nil : (object[member.key] ?? .null).applying(member.value, inner)
      }
      return .object(object)
    case (.null, .object(let wanted)) where !shape.isAtomicMap:
      return .object(
        JSON.Object(
          wanted.members.filter { !$0.value.isNull }
            .map { ($0.key, JSON.null.applying($0.value, shape.child($0.key))) }))
    case (.array(let items), .array(let wanted)) where shape.list != .atomic:
      return .array(Self.merged(items, wanted, shape))
    default: return config
    }
  }

  /// The items keep their order unless the configuration has those in common in another one.
  private static func merged(_ live: [JSON], _ wanted: [JSON], _ shape: Shape) -> [JSON] {
    var values: [FieldSet.Element: JSON] = [:]
    let liveOrder = live.compactMap(shape.element)
    for item in live { if let element = shape.element(item) { values[element] = item } }
    let wantedOrder = wanted.compactMap(shape.element)
    let isWanted = Set(wantedOrder)
    let isLive = Set(liveOrder)
    for item in wanted {
      guard let element = shape.element(item) else { continue }
      values[element] = (values[element] ?? .null).applying(item, shape.items)
    }
    let isSameOrder = liveOrder.filter(isWanted.contains) == wantedOrder.filter(isLive.contains)
    let order =
      isSameOrder
      ? liveOrder + wantedOrder.filter { !isLive.contains($0) }
      : wantedOrder + liveOrder.filter { !isWanted.contains($0) }
    return order.compactMap { values[$0] }
  }

  /// This value without the fields of a set; objects and lists that lost everything go too.
  func removing(_ fields: FieldSet, _ shape: Shape) -> JSON {
    switch self {
    case .object(var object) where !shape.isAtomicMap:
      for (element, inner) in fields.children {
        guard case .field(let name) = element, let value = object[name] else { continue }
        let rest = inner.children.isEmpty ? JSON.null : value.removing(inner, shape.child(name))
        object[name] = rest.isNull ? nil : rest
      }
      return object.isEmpty ? .null : .object(object)
    case .array(let items) where shape.list != .atomic:
      let rest = items.compactMap { item -> JSON? in
        guard let element = shape.element(item), let inner = fields.children[element] else { return item }
        if inner.isMember { return nil }
        let kept = item.removing(inner, shape.items)
        return kept.isNull ? nil : kept
      }
      return rest.isEmpty ? .null : .array(rest)
    default: return .null
    }
  }
}
