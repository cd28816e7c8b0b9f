/// How results are shown.
enum Format: Sendable, Hashable {
  case table
  case json

  init(_ arguments: Arguments) throws(UsageError) {
    switch arguments.text(Option.output.name) {
    case nil, "table": self = .table
    case "json": self = .json
    case let other?: throw UsageError("--output \(other): table or json is needed")
    }
  }
}

extension Console {
  /// Writes a result in the form that was asked for.
  func show(_ format: Format, table: @autoclosure () -> String, json: @autoclosure () -> JSON) throws {
    switch format {
    case .table: try write(table())
    case .json: try write(json().pretty)
    }
  }
}
