public import JSONValue

extension Fields {
  /// Reads a part of a resource. What is wrong is added to the mistakes, and its field stays at its default.
  public init(reading json: JSON, at path: String, mistakes: inout [Mistake]) {
    self.init()
    if json.object == nil, !json.isNull { mistakes.append(Mistake(path, "is \(json.kind), and has to be an object.")) }
    read(json.object ?? JSON.Object(), at: path, &mistakes)
  }

  private mutating func read(_ object: JSON.Object, at path: String, _ mistakes: inout [Mistake]) {
    var reader = FieldReader(object: object, path: path)
    fields(&reader)
    for key in object.keys where !reader.known.contains(key) {
      mistakes.append(
        Mistake(
          "\(path).\(key)", "is no field that this version knows; \(path) has \(reader.known.joined(separator: ", ")).")
      )
    }
    mistakes += reader.mistakes
  }
}

struct FieldReader: FieldCoder {
  let object: JSON.Object
  let path: String
  var mistakes: [Mistake] = []
  /// In the order in which the fields are stated.
  var known: [String] = []

  init(object: JSON.Object, path: String) {
    self.object = object
    self.path = path
  }

  private mutating func find(_ name: String) -> JSON? {
    known.append(name)
    guard let value = object[name], !value.isNull else { return nil }
    return value
  }

  private mutating func complain(_ name: String, _ complaint: String) {
    mistakes.append(Mistake("\(path).\(name)", complaint))
  }

  private mutating func required(_ name: String, _ presence: Presence, _ words: String) {
    if case .required = presence { complain(name, "is missing; it has to be \(words).") }
  }

  private mutating func text(_ name: String, _ json: JSON, _ form: TextForm) -> String? {
    guard let text = json.string ?? (form == .quantity ? json.int64.map(String.init) : nil), form.accepts(text) else {
      complain(name, "is \(Self.shown(json)), and has to be \(form.words).")
      return nil
    }
    return text
  }

  private mutating func number(_ name: String, _ json: JSON, _ range: ClosedRange<Int>) -> Int? {
    guard let number = json.int, range.contains(number) else {
      complain(name, "is \(Self.shown(json)), and has to be \(words(range)).")
      return nil
    }
    return number
  }

  private func words(_ range: ClosedRange<Int>) -> String {
    range.upperBound == .max
      ? "a whole number from \(range.lowerBound) on" : "a whole number from \(range.lowerBound) to \(range.upperBound)"
  }

  static func shown(_ json: JSON) -> String {
    switch json {
    case .string(let text): "'\(text.prefix(100))'"
    case .integer, .number, .bool: json.description
    default: json.kind
    }
  }

  mutating func text(_ name: String, _ value: inout String, _ form: TextForm, _ presence: Presence, _ about: String) {
    guard let json = find(name) else { return required(name, presence, form.words) }
    if let text = text(name, json, form) { value = text }
  }
  mutating func text(_ name: String, _ value: inout String?, _ form: TextForm, _ about: String) {
    guard let json = find(name) else { return }
    value = text(name, json, form)
  }
  mutating func number(
    _ name: String, _ value: inout Int, _ range: ClosedRange<Int>, _ presence: Presence, _ about: String
  ) {
    guard let json = find(name) else { return required(name, presence, words(range)) }
    if let number = number(name, json, range) { value = number }
  }
  mutating func number(_ name: String, _ value: inout Int?, _ range: ClosedRange<Int>, _ about: String) {
    guard let json = find(name) else { return }
    value = number(name, json, range)
  }
  mutating func flag(_ name: String, _ value: inout Bool, _ about: String) {
    guard let json = find(name) else { return }
    guard let flag = json.bool else { return complain(name, "is \(Self.shown(json)), and has to be true or false.") }
    value = flag
  }
  mutating func choice<E: Choice>(_ name: String, _ value: inout E, _ presence: Presence, _ about: String) {
    let words = E.allCases.map(\.rawValue).joined(separator: ", ")
    guard let json = find(name) else { return required(name, presence, "one of \(words)") }
    guard let found = json.string.flatMap(E.init(rawValue:)) else {
      return complain(name, "is \(Self.shown(json)), and has to be one of \(words).")
    }
    value = found
  }

  /// The elements of a list; none, with a mistake, where there is no list or too long a one.
  private mutating func list(_ name: String, max: Int) -> [JSON] {
    guard let json = find(name) else { return [] }
    guard let elements = json.array else {
      complain(name, "is \(Self.shown(json)), and has to be a list.")
      return []
    }
    guard elements.count <= max else {
      complain(name, "has \(elements.count) elements, and may have \(max).")
      return []
    }
    return elements
  }
  /// The members of a map; none, with a mistake, where there is no map or too large a one.
  private mutating func map(_ name: String) -> [JSON.Object.Member] {
    guard let json = find(name) else { return [] }
    guard let object = json.object else {
      complain(name, "is \(Self.shown(json)), and has to be a map.")
      return []
    }
    guard object.count <= ResourceLimits.pairsMax else {
      complain(name, "has \(object.count) keys, and may have \(ResourceLimits.pairsMax).")
      return []
    }
    return object.members
  }

  mutating func texts(_ name: String, _ value: inout [String], _ form: TextForm, max: Int, _ about: String) {
    let elements = list(name, max: max)
    // A list that is not there is the default; one that is empty is empty.
    guard let given = object[name], !given.isNull else { return }
    value = elements.enumerated().compactMap { text("\(name)[\($0)]", $1, form) }
  }
  mutating func numbers(_ name: String, _ value: inout [Int], max: Int, _ about: String) {
    value = list(name, max: max).enumerated().compactMap { number("\(name)[\($0)]", $1, 0...Int(Int32.max)) }
  }
  mutating func textMap(_ name: String, _ value: inout [String: String], _ form: TextForm, _ about: String) {
    value = [:]
    for member in map(name) {
      if let text = text("\(name).\(member.key)", member.value, form) { value[member.key] = text }
    }
  }
  mutating func numberMap(_ name: String, _ value: inout [String: Int], _ range: ClosedRange<Int>, _ about: String) {
    value = [:]
    for member in map(name) {
      if let number = number("\(name).\(member.key)", member.value, range) { value[member.key] = number }
    }
  }
  mutating func part<F: Fields>(_ name: String, _ value: inout F, _ presence: Presence, _ about: String) {
    guard let json = find(name) else { return required(name, presence, "an object") }
    value = F(reading: json, at: "\(path).\(name)", mistakes: &mistakes)
  }
  mutating func part<F: Fields>(_ name: String, _ value: inout F?, _ about: String) {
    guard let json = find(name) else { return }
    value = F(reading: json, at: "\(path).\(name)", mistakes: &mistakes)
  }
  mutating func parts<F: Fields>(_ name: String, _ value: inout [F], key: String?, max: Int, _ about: String) {
    let elements = list(name, max: max)
    value = elements.enumerated().map { F(reading: $1, at: "\(path).\(name)[\($0)]", mistakes: &mistakes) }
    guard let key else { return }
    var seen: Set<JSON> = []
    for (place, element) in elements.enumerated() where !seen.insert(element[key]).inserted {
      complain("\(name)[\(place)].\(key)", "is \(Self.shown(element[key])) a second time; each may stand there once.")
    }
  }
}
