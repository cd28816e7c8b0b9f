/// What the user wrote after a command's name, sorted into options and the rest.
struct Arguments: Sendable, Equatable {
  private(set) var positionals: [String] = []
  private var values: [String: [String]] = [:]
  private var flags: Set<String> = []

  /// `--name value`, `--name=value`, `-n value`; after `--` nothing is an option.
  init(_ words: [String], options: [Option]) throws(UsageError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        positionals += rest
        return
      }
      // A lone dash is a name that people use for standard input.
      guard word.hasPrefix("-"), word != "-", Int64(word) == nil else {
        positionals.append(word)
        continue
      }
      let (name, attached) = Self.split(word)
      let option = try Self.find(name, written: word, in: options)
      guard option.placeholder != nil else {
        guard attached == nil else { throw UsageError("--\(option.name) takes no value") }
        flags.insert(option.name)
        continue
      }
      guard let value = attached ?? rest.popFirst() else {
        throw UsageError("--\(option.name) needs a value: \(option.placeholder ?? "")")
      }
      guard option.isRepeatable || values[option.name] == nil else {
        throw UsageError("--\(option.name) is there twice")
      }
      values[option.name, default: []].append(value)
    }
  }

  private static func split(_ word: String) -> (name: Substring, value: String?) {
    guard let equals = word.firstIndex(of: "=") else { return (word[...], nil) }
    return (word[..<equals], String(word[word.index(after: equals)...]))
  }

  private static func find(_ name: Substring, written: String, in options: [Option]) throws(UsageError) -> Option {
    let found = options.first { option in
      name == "--\(option.name)" || option.short.map { name == "-\($0)" } ?? false
    }
    if let found { return found }
    let near = Spelling.nearest(to: String(name.drop { $0 == "-" }), among: options.map(\.name))
    throw UsageError("unknown option \(written)" + (near.map { "; did you mean --\($0)?" } ?? ""))
  }

  func has(_ flag: String) -> Bool { flags.contains(flag) }
  func text(_ name: String) -> String? { values[name]?.first }
  func texts(_ name: String) -> [String] { values[name] ?? [] }

  /// The option's value as a number within the range; nil when the option is not there.
  func number<Number: FixedWidthInteger>(
    _ name: String, in range: ClosedRange<Number>
  ) throws(UsageError) -> Number? {
    guard let text = text(name) else { return nil }
    guard let number = Number(text), range.contains(number) else {
      throw UsageError("--\(name) \(text): a number from \(range.lowerBound) to \(range.upperBound) is needed")
    }
    return number
  }

  /// `key=value` pairs, as an option or at the end of a command.
  static func pairs(_ texts: [String]) throws(UsageError) -> [(key: String, value: String)] {
    var pairs: [(key: String, value: String)] = []
    for text in texts {
      guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
        throw UsageError("\(text): KEY=VALUE is needed")
      }
      pairs.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
    }
    return pairs
  }
}
