/// JSON merge patches (RFC 7396): members replace members, null takes a member away, arrays are replaced whole.
extension JSON {
  /// This value after the patch.
  public func merged(with patch: JSON) -> JSON {
    guard case .object(let changes) = patch else { return patch }
    var result = object ?? Object()
    for change in changes.members {
      result[change.key] = change.value.isNull ? nil : (result[change.key] ?? .null).merged(with: change.value)
    }
    return .object(result)
  }

  /// The smallest patch that makes `target` of this value; an empty object when nothing has to change.
  ///
  /// A merge patch cannot put null into a member: where `target` has one, the member is taken away.
  public func mergePatch(to target: JSON) -> JSON {
    guard case .object(let new) = target else { return target }
    let old = object ?? Object()
    var patch = Object()
    for member in old.members where new[member.key] == nil { patch[member.key] = .some(.null) }
    for member in new.members {
      guard let before = old[member.key] else {
        if !member.value.isNull { patch[member.key] = JSON.null.mergePatchOrValue(to: member.value) }
        continue
      }
      if before != member.value { patch[member.key] = before.mergePatchOrValue(to: member.value) }
    }
    return .object(patch)
  }

  private func mergePatchOrValue(to target: JSON) -> JSON {
    target.object == nil ? target : mergePatch(to: target)
  }
}
