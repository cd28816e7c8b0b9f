/// One option of a command. It takes a value when it has a placeholder for one, and is a flag otherwise.
struct Option: Sendable, Hashable {
  let name: String
  let short: Character?
  let placeholder: String?
  let help: String
  let isRepeatable: Bool

  static func flag(_ name: String, _ help: String) -> Option {
    Option(name: name, short: nil, placeholder: nil, help: help, isRepeatable: false)
  }
  static func value(_ name: String, short: Character? = nil, _ placeholder: String, _ help: String) -> Option {
    Option(name: name, short: short, placeholder: placeholder, help: help, isRepeatable: false)
  }
  static func values(_ name: String, _ placeholder: String, _ help: String) -> Option {
    Option(name: name, short: nil, placeholder: placeholder, help: help, isRepeatable: true)
  }

  static let bootstrap = Option.value(
    "bootstrap-server", "HOST:PORT[,…]",
    "where the cluster is asked for its brokers (SWIFTWATER_BOOTSTRAP_SERVER, or localhost:9092)")
  static let output = Option.value("output", short: "o", "table|json", "how results are shown (table)")
  static let help = Option.flag("help", "shows this text")

  /// As it stands in the help.
  var synopsis: String {
    let first = short.map { "-\($0), " } ?? "    "
    return first + "--\(name)" + (placeholder.map { " \($0)" } ?? "")
  }
}

/// What the user wrote cannot be meant: the sentence says what, and the program ends with status 2.
struct UsageError: Error, Hashable, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Something could not be done: one sentence, and the program ends with status 1.
struct Failure: Error, Hashable, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
