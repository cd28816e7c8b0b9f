import JSONValue
import KubernetesAPI

/// The little of Kubernetes' protobuf form that newer clients of kubectl insist on when they create the simplest kinds
/// (`kubectl create namespace | configmap | secret | serviceaccount`, `kubectl auth can-i`). Everything else is refused.
enum Protobuf {
  private static let magic: [UInt8] = [0x6B, 0x38, 0x73, 0]

  /// Nil for kinds that are not known, and for bytes that are no message.
  static func object(_ bytes: [UInt8]) -> JSON? {
    guard bytes.starts(with: magic), let unknown = fields(bytes[4...]) else { return nil }
    let type = unknown.first { $0.number == 1 }.flatMap { fields($0.bytes) } ?? []
    guard let apiVersion = text(type, 1), let kind = text(type, 2) else { return nil }
    let raw = unknown.first { $0.number == 2 }?.bytes ?? []
    guard let fields = fields(raw) else { return nil }
    var object: JSON = ["apiVersion": JSON(apiVersion), "kind": JSON(kind)]
    object["metadata"] = metadata(fields.first { $0.number == 1 }?.bytes ?? [])
    switch kind {
    case "Namespace", "ServiceAccount", "SelfSubjectAccessReview", "SelfSubjectReview", "SelfSubjectRulesReview",
      "TokenRequest":
      break
    case "ConfigMap":
      if let data = map(fields, 2, isText: true) { object["data"] = data }
      if let data = map(fields, 3, isText: false) { object["binaryData"] = data }
    case "Secret":
      if let data = map(fields, 2, isText: false) { object["data"] = data }
      if let type = text(fields, 3) { object["type"] = JSON(type) }
      if let data = map(fields, 4, isText: true) { object["stringData"] = data }
    default: return nil
    }
    return object
  }

  private struct Field {
    var number: Int
    /// Empty for numbers.
    var bytes: ArraySlice<UInt8>
  }

  private static func fields(_ bytes: ArraySlice<UInt8>) -> [Field]? {
    var rest = bytes
    var found: [Field] = []
    while !rest.isEmpty {
      guard let tag = number(&rest) else { return nil }
      var content: ArraySlice<UInt8> = []
      switch tag & 7 {
      case 0: guard number(&rest) != nil else { return nil }
      case 2:
        guard let count = number(&rest), count <= UInt64(rest.count) else { return nil }
        content = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
      case 1, 5:
        let count = tag & 7 == 1 ? 8 : 4
        guard rest.count >= count else { return nil }
        rest = rest.dropFirst(count)
      default: return nil
      }
      found.append(Field(number: Int(clamping: tag >> 3), bytes: content))
    }
    return found
  }

  private static func number(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  private static func text(_ fields: [Field], _ number: Int) -> String? {
    guard let bytes = fields.last(where: { $0.number == number })?.bytes, !bytes.isEmpty else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Entries with a key and a value; values that are bytes become base64.
  private static func map(_ fields: [Field], _ number: Int, isText: Bool) -> JSON? {
    let entries = fields.filter { $0.number == number }
    if entries.isEmpty { return nil }
    var found: [(String, JSON)] = []
    for entry in entries {
      guard let parts = Self.fields(entry.bytes) else { return nil }
      let value = parts.last { $0.number == 2 }?.bytes ?? []
      let shown = isText ? String(decoding: value, as: UTF8.self) : Base64.encode(Array(value))
      found.append((text(parts, 1) ?? "", JSON(shown)))
    }
    return .object(JSON.Object(found))
  }

  private static func metadata(_ bytes: ArraySlice<UInt8>) -> JSON {
    guard let fields = fields(bytes) else { return [:] }
    var metadata: JSON = [:]
    for (number, name) in [(1, "name"), (2, "generateName"), (3, "namespace")] {
      if let value = text(fields, number) { metadata[name] = JSON(value) }
    }
    if let labels = map(fields, 11, isText: true) { metadata["labels"] = labels }
    if let annotations = map(fields, 12, isText: true) { metadata["annotations"] = annotations }
    return metadata
  }
}
