import CYAML
public import JSONValue

/// Why a text is no YAML that JSON can say, and where.
public struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
  /// From 1.
  public let line: Int
  /// From 1.
  public let column: Int
  public let message: String

  public var description: String { "line \(line), column \(column): \(message)" }
}

/// How much a text may ask of us before it is refused.
public struct YAMLLimits: Sendable {
  /// Longer texts are refused before they are looked into.
  public var bytesMax = 32 << 20
  /// Sequences and mappings within each other, those behind an alias included.
  public var depthMax = 100
  /// Values in all documents together, those behind an alias counted each time: a few lines of aliases of aliases
  /// could otherwise stand for more than any memory holds.
  public var valuesMax = 2_000_000
  public init() {}
}

extension JSON {
  /// Reads the documents of a text. Scalars mean what they mean to kubectl (sigs.k8s.io/yaml): quoted ones stay text,
  /// `yes` and `no` are booleans. Keys that are numbers or booleans become text. A key twice in one mapping is refused,
  /// because one of the two would be lost silently. An empty text has no documents; an empty document is null.
  public static func documents(inYAML text: String, limits: YAMLLimits = YAMLLimits()) throws(YAMLError) -> [JSON] {
    guard text.utf8.count <= limits.bytesMax else {
      throw YAMLError(
        line: 1, column: 1, message: "the text has \(text.utf8.count) bytes, and at most \(limits.bytesMax) are read")
    }
    var text = text
    let result = text.withUTF8 { bytes in
      Result { () throws(YAMLError) in
        var composer = YAMLComposer(source: YAMLSource(bytes), limits: limits)
        return try composer.documents()
      }
    }
    return try result.get()
  }
}

/// One step of libyaml's parser, copied out of its memory.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd, documentStart, documentEnd
    case sequenceStart, sequenceEnd, mappingStart, mappingEnd
    case scalar(text: String, isPlain: Bool)
    case alias
  }
  let kind: Kind
  /// Of a value that is named, or of the alias that names it.
  var anchor: String?
  var tag: String?
  let line: Int
  let column: Int

  func failure(_ message: String) -> YAMLError { YAMLError(line: line, column: column, message: message) }
}

/// The owner of libyaml's parser. The bytes must outlive it.
struct YAMLSource: ~Copyable {
  private let parser: UnsafeMutablePointer<yaml_parser_t>

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    parser = .allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    precondition(yaml_parser_initialize(parser) == 1, "no memory is left")
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  func next() throws(YAMLError) -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
    defer { yaml_event_delete(&event) }
    let line = Int(event.start_mark.line) + 1
    let column = Int(event.start_mark.column) + 1
    func made(_ kind: YAMLEvent.Kind, anchor: UnsafePointer<UInt8>? = nil, tag: UnsafePointer<UInt8>? = nil)
      -> YAMLEvent
    {
      YAMLEvent(
        kind: kind, anchor: anchor.map { String(cString: $0) }, tag: tag.map { String(cString: $0) }, line: line,
        column: column)
    }
    switch event.type {
    case YAML_STREAM_START_EVENT, YAML_NO_EVENT: return made(.streamStart)
    case YAML_STREAM_END_EVENT: return made(.streamEnd)
    case YAML_DOCUMENT_START_EVENT: return made(.documentStart)
    case YAML_DOCUMENT_END_EVENT: return made(.documentEnd)
    case YAML_SEQUENCE_START_EVENT:
      return made(.sequenceStart, anchor: event.data.sequence_start.anchor, tag: event.data.sequence_start.tag)
    case YAML_SEQUENCE_END_EVENT: return made(.sequenceEnd)
    case YAML_MAPPING_START_EVENT:
      return made(.mappingStart, anchor: event.data.mapping_start.anchor, tag: event.data.mapping_start.tag)
    case YAML_MAPPING_END_EVENT: return made(.mappingEnd)
    case YAML_ALIAS_EVENT: return made(.alias, anchor: event.data.alias.anchor)
    default:
      let scalar = event.data.scalar
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
      return made(.scalar(text: text, isPlain: isPlain), anchor: scalar.anchor, tag: scalar.tag)
    }
  }

  private func failure() -> YAMLError {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "this cannot be read"
    let context = parser.pointee.context.map { String(cString: $0) + ": " } ?? ""
    var line = Int(parser.pointee.problem_mark.line) + 1
    let column = Int(parser.pointee.problem_mark.column) + 1
    // What is wrong with the bytes themselves has a place in the text only.
    if parser.pointee.error == YAML_READER_ERROR { line = Int(parser.pointee.mark.line) + 1 }
    return YAMLError(line: line, column: column, message: context + problem)
  }
}
