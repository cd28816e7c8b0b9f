import JSONValue

/// A label selector as it stands in a query: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
struct LabelSelector: Sendable {
  enum Requirement: Sendable, Hashable {
    case among(String, [String])
    case notAmong(String, [String])
    case present(String)
    case absent(String)
  }
  var requirements: [Requirement] = []

  init(_ text: String) throws(APIFailure) {
    for part in Self.split(text) {
      let words = part.filter { $0 != " " || part.contains("(") }
      if let cut = words.firstRange(of: "!=") {
        requirements.append(.notAmong(trimmed(words[..<cut.lowerBound]), [trimmed(words[cut.upperBound...])]))
      } else if let cut = words.firstRange(of: " notin ") {
        requirements.append(.notAmong(trimmed(words[..<cut.lowerBound]), Self.values(words[cut.upperBound...])))
      } else if let cut = words.firstRange(of: " in ") {
        requirements.append(.among(trimmed(words[..<cut.lowerBound]), Self.values(words[cut.upperBound...])))
      } else if let cut = words.firstIndex(of: "=") {
        let value = words[words.index(after: cut)...].drop { $0 == "=" }
        requirements.append(.among(trimmed(words[..<cut]), [trimmed(value)]))
      } else if words.hasPrefix("!") {
        requirements.append(.absent(trimmed(words.dropFirst())))
      } else if words.contains("(") || words.contains(")") || words.isEmpty {
        throw .badRequest("unable to parse requirement: \(text)")
      } else {
        requirements.append(.present(trimmed(words[...])))
      }
    }
  }

  /// A `LabelSelector` object with matchLabels and matchExpressions.
  init(object: JSON) {
    requirements = object["matchLabels"].members.map { .among($0.key, [$0.value.string ?? ""]) }
    for expression in object["matchExpressions"].elements {
      let key = expression["key"].string ?? ""
      let values = expression["values"].strings ?? []
      switch expression["operator"].string {
      case "In": requirements.append(.among(key, values))
      case "NotIn": requirements.append(.notAmong(key, values))
      case "Exists": requirements.append(.present(key))
      default: requirements.append(.absent(key))
      }
    }
  }

  private static func split(_ text: String) -> [String] {
    var found: [String] = []
    var part = ""
    var depth = 0
    for character in text {
      if character == "(" { depth += 1 }
      if character == ")" { depth -= 1 }
      if character == "," && depth == 0 {
        found.append(part)
        part = ""
      } else {
        part.append(character)
      }
    }
    return part.isEmpty && found.isEmpty ? [] : found + [part]
  }

  private static func values(_ text: Substring) -> [String] {
    text.filter { $0 != "(" && $0 != ")" }.split(separator: ",").map { trimmed($0) }
  }

  func matches(_ labels: JSON) -> Bool {
    requirements.allSatisfy { requirement in
      switch requirement {
      case .among(let key, let values): labels[key].string.map(values.contains) ?? false
      case .notAmong(let key, let values): labels[key].string.map { !values.contains($0) } ?? true
      case .present(let key): labels[key].string != nil
      case .absent(let key): labels[key].string == nil
      }
    }
  }
}

/// A field selector: `metadata.name=x,status.phase!=Running`.
struct FieldSelector: Sendable {
  private var requirements: [(path: [String], value: String, isEqual: Bool)] = []

  init(_ text: String) throws(APIFailure) {
    for part in text.split(separator: ",") {
      guard let cut = part.firstIndex(of: "=") else { throw .badRequest("invalid field selector: \(text)") }
      let isEqual = !(part[..<cut].hasSuffix("!"))
      let path = part[..<cut].filter { $0 != "!" && $0 != " " }.split(separator: ".").map(String.init)
      requirements.append((path, trimmed(part[part.index(after: cut)...].drop { $0 == "=" }), isEqual))
    }
  }

  func matches(_ object: JSON) -> Bool {
    requirements.allSatisfy { (object.at($0.path).string ?? "" == $0.value) == $0.isEqual }
  }
}

func trimmed(_ text: some StringProtocol) -> String {
  var text = Substring(text)
  while text.first?.isWhitespace == true { text = text.dropFirst() }
  while text.last?.isWhitespace == true { text = text.dropLast() }
  return String(text)
}

extension StringProtocol {
  /// Where the words are first found.
  func firstRange(of words: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(words), let end = index(start, offsetBy: words.count, limitedBy: endIndex) {
        return start..<end
      }
      start = index(after: start)
    }
    return nil
  }
}
