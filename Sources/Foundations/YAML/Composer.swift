import JSONValue

/// Makes values of libyaml's events.
struct YAMLComposer: ~Copyable {
  /// A value, with what it would cost to write it out.
  private struct Node {
    var value: JSON
    var count = 1
    var depth = 0
  }
  private let source: YAMLSource
  private let limits: YAMLLimits
  private var anchors: [String: Node] = [:]
  private var total = 0

  init(source: consuming YAMLSource, limits: YAMLLimits) {
    self.source = source
    self.limits = limits
  }

  mutating func documents() throws(YAMLError) -> [JSON] {
    var found: [JSON] = []
    while true {
      let event = try source.next()
      switch event.kind {
      case .streamEnd: return found
      case .documentStart:
        anchors = [:]
        found.append(try node(at: try source.next(), depth: 0).value)
      default: continue
      }
    }
  }

  private mutating func node(at event: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
    let node: Node
    switch event.kind {
    case .alias: return try alias(event, depth: depth)
    case .scalar(let text, let isPlain): node = Node(value: try scalar(text, isPlain: isPlain, event))
    case .sequenceStart: node = try sequence(event, depth: depth + 1)
    case .mappingStart: node = try mapping(event, depth: depth + 1)
    case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
      throw event.failure("a value was expected")
    }
    if let anchor = event.anchor { anchors[anchor] = node }
    try count(1, event)
    return node
  }

  private mutating func alias(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
    let name = event.anchor ?? ""
    guard let node = anchors[name] else { throw event.failure("*\(name) names nothing that came before it") }
    try count(node.count, event)
    try checkDepth(depth + node.depth, event)
    return node
  }

  private mutating func count(_ more: Int, _ event: YAMLEvent) throws(YAMLError) {
    total += more
    guard total <= limits.valuesMax else {
      throw event.failure("there are more than \(limits.valuesMax) values, those behind aliases included")
    }
  }

  private func checkDepth(_ depth: Int, _ event: YAMLEvent) throws(YAMLError) {
    guard depth <= limits.depthMax else {
      throw event.failure("more than \(limits.depthMax) sequences and mappings lie within each other")
    }
  }

  private mutating func sequence(_ start: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
    try checkDepth(depth, start)
    if let tag = start.tag, tag != "tag:yaml.org,2002:seq", tag != "!" { throw unknownTag(tag, start) }
    var values: [JSON] = []
    var whole = Node(value: .null, depth: 1)
    while true {
      let event = try source.next()
      if case .sequenceEnd = event.kind { break }
      let element = try node(at: event, depth: depth)
      whole.count += element.count
      whole.depth = max(whole.depth, element.depth + 1)
      values.append(element.value)
    }
    whole.value = .array(values)
    return whole
  }

  private mutating func mapping(_ start: YAMLEvent, depth: Int) throws(YAMLError) -> Node {
    try checkDepth(depth, start)
    if let tag = start.tag, tag != "tag:yaml.org,2002:map", tag != "!" { throw unknownTag(tag, start) }
    var members: [(String, JSON)] = []
    var inherited: [(String, JSON)] = []
    var keys: Set<[UInt8]> = []
    var whole = Node(value: .null, depth: 1)
    while true {
      let event = try source.next()
      if case .mappingEnd = event.kind { break }
      if case .scalar("<<", true) = event.kind, event.tag == nil || event.tag == "tag:yaml.org,2002:merge" {
        let at = try source.next()
        let merged = try node(at: at, depth: depth)
        whole.count += merged.count
        whole.depth = max(whole.depth, merged.depth)
        inherited += try mergedMembers(merged.value, at)
        continue
      }
      let key = try key(event)
      guard keys.insert(Array(key.utf8)).inserted else {
        throw event.failure("the key \"\(key)\" stands twice in one mapping")
      }
      let value = try node(at: try source.next(), depth: depth)
      whole.count += value.count
      whole.depth = max(whole.depth, value.depth + 1)
      members.append((key, value.value))
    }
    // The last one counts: what stands in the mapping itself overrides what it inherits.
    whole.value = .object(JSON.Object(inherited + members))
    return whole
  }

  /// What `<<` brings in. Of several mappings the first one that has a key counts.
  private func mergedMembers(_ value: JSON, _ event: YAMLEvent) throws(YAMLError) -> [(String, JSON)] {
    switch value {
    case .object(let object): return object.members.map { ($0.key, $0.value) }
    case .array(let values):
      var found: [(String, JSON)] = []
      for value in values.reversed() {
        guard let object = value.object else { throw event.failure("<< takes mappings only") }
        found += object.members.map { ($0.key, $0.value) }
      }
      return found
    default: throw event.failure("<< takes a mapping, and \(value.kind) stands there")
    }
  }

  private mutating func key(_ event: YAMLEvent) throws(YAMLError) -> String {
    let value: JSON
    switch event.kind {
    case .scalar(let text, let isPlain):
      value = try scalar(text, isPlain: isPlain, event)
      if let anchor = event.anchor { anchors[anchor] = Node(value: value) }
    case .alias: value = try alias(event, depth: 0).value
    default: throw event.failure("a key has to be text, and a sequence or mapping stands there")
    }
    try count(1, event)
    switch value {
    case .string(let text): return text
    case .bool, .integer, .number: return value.text()
    case .null, .array, .object: throw event.failure("a key has to be text, and \(value.kind) stands there")
    }
  }

  private func scalar(_ text: String, isPlain: Bool, _ event: YAMLEvent) throws(YAMLError) -> JSON {
    guard let tag = event.tag else { return isPlain ? try plain(text, event) : .string(text) }
    let name = tag.hasPrefix("tag:yaml.org,2002:") ? String(tag.dropFirst(18)) : tag
    switch name {
    case "str", "!", "timestamp": return .string(text)
    case "null", "bool", "int", "float":
      switch (name, try plain(text, event)) {
      case ("null", .null): return .null
      case ("bool", .bool(let value)): return .bool(value)
      case ("int", .integer(let value)): return .integer(value)
      case ("float", .integer(let value)): return .number(Double(value))
      case ("float", .number(let value)): return .number(value)
      default: throw event.failure("\"\(text)\" is no \(name), although its tag says so")
      }
    default: throw unknownTag(tag, event)
    }
  }

  private func plain(_ text: String, _ event: YAMLEvent) throws(YAMLError) -> JSON {
    guard let value = PlainScalar.value(of: text) else {
      throw event.failure("\(text) cannot be said in JSON; put quotation marks around it if text is meant")
    }
    return value
  }

  private func unknownTag(_ tag: String, _ event: YAMLEvent) -> YAMLError {
    event.failure("the tag \(tag) is not known here")
  }
}
