import Vocabulary

extension JSON {
  /// A decoded record as an object of its fields; a case of an enum is an object with one member. Bytes are shown as
  /// text, or in digits where they are none.
  init(reflecting value: Any) {
    switch value {
    case let text as String: self = .string(text)
    case let flag as Bool: self = .bool(flag)
    case let number as any BinaryInteger: self = .number(Int64(clamping: number))
    case let bytes as [UInt8]: self = .string(printable(bytes))
    case let id as UniqueID: self = .string("\(id)")
    case let code as ErrorCode: self = .string("\(code)")
    default: self = Self.parts(of: value)
    }
  }

  private static func parts(of value: Any) -> JSON {
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional: return mirror.children.first.map { JSON(reflecting: $0.value) } ?? .null
    case .collection, .set: return .array(mirror.children.map { JSON(reflecting: $0.value) })
    case .struct, .class, .tuple:
      return .object(mirror.children.map { Member(name: $0.label ?? "", value: JSON(reflecting: $0.value)) })
    case .enum:
      guard let payload = mirror.children.first else { return .string("\(value)") }
      return .object([Member(name: payload.label ?? "", value: payloadValue(payload.value))])
    default: return .string("\(value)")
    }
  }

  /// One value without a label stands for itself; labelled ones come as a tuple.
  private static func payloadValue(_ value: Any) -> JSON {
    let mirror = Mirror(reflecting: value)
    guard mirror.displayStyle == .tuple, mirror.children.count == 1, let only = mirror.children.first else {
      return JSON(reflecting: value)
    }
    guard let label = only.label, !label.hasPrefix(".") else { return JSON(reflecting: only.value) }
    return .object([Member(name: label, value: JSON(reflecting: only.value))])
  }

  /// Text stands for itself, anything else is written in one line.
  var shown: String {
    if case .string(let text) = self { return text }
    return compact
  }
}
