import ClusterMetadata

/// docs/configuration.md, made from the tables that the broker reads.
enum ConfigurationDocument {
  static let text = opening + broker + withoutEffect + topics

  private static let opening = """
    # Configuration

    ```sh
    swiftwater broker [server.properties] [--override key=value ...]
    ```

    Settings have Kafka's names and meanings. They come from the file, and an override on the command line wins. Without
    either, one broker with id 1 listens on `localhost:9092` and keeps its data in `./swiftwater-data`.

    A key that does not exist, a value that cannot be, a port in use, or a data folder that belongs to another node ends
    the start with one sentence on standard error and an exit code other than 0. Nothing on the disk has been changed
    then.

    `swiftwater configs describe` shows the settings of a topic with their sources. A topic's own setting wins over what
    was set on the broker while it runs, that over `server.properties`, and that over the default.

    The tables are made from the code by a test, with `SWIFTWATER_WRITE_DOCS=1 swift test --filter ConfigurationDocument`.
    The unit of a number is the last part of its key: `ms`, `minutes`, `hours`, `bytes`. Where a key has no default,
    its description says what holds without it.


    """

  private static var broker: String {
    let rows = BrokerConfigs.all.compactMap { known -> String? in
      let definition = known.definition
      switch known.effect {
      case .none: return nil
      case .atStart, .dynamic:
        let when = known.effect == .dynamic ? "yes" : "no"
        return row([
          code(definition.name), value(definition.defaultValue), accepts(definition.kind), when,
          definition.documentation,
        ])
      }
    }
    return """
      ## The broker

      A dynamic key can be changed while the broker runs, with IncrementalAlterConfigs on one broker or on all of them.

      | key | default | values | dynamic | meaning |
      |---|---|---|---|---|
      \(rows.joined(separator: "\n"))


      """
  }

  private static var withoutEffect: String {
    let rows = BrokerConfigs.all.compactMap { known -> String? in
      guard case .none(let reason) = known.effect else { return nil }
      return row([code(known.name), reason])
    }
    return """
      ## Accepted without effect

      These stand in files that were written for Kafka. The broker accepts them and says so when it starts.

      | key | why it changes nothing |
      |---|---|
      \(rows.joined(separator: "\n"))


      """
  }

  private static var topics: String {
    let rows = TopicConfigs.all.map { known in
      row([
        code(known.name), value(known.definition.defaultValue), accepts(known.definition.kind),
        known.brokerKeys.map { code($0.name) }.joined(separator: ", "), known.definition.documentation,
      ])
    }
    return """
      ## Topics

      Without a setting of its own a topic takes the broker's, from the first of these keys that is set.

      | key | default | values | broker's keys | meaning |
      |---|---|---|---|---|
      \(rows.joined(separator: "\n"))

      """
  }

  private static func row(_ cells: [String]) -> String {
    "| " + cells.map { $0.isEmpty ? " " : $0 }.joined(separator: " | ") + " |"
  }
  private static func code(_ text: String) -> String { "`\(text)`" }

  private static func value(_ text: String?) -> String {
    switch text {
    case nil: "none"
    case String(Int64.max): "no limit"
    case let text?: code(text)
    }
  }

  private static func accepts(_ kind: ConfigKind) -> String {
    switch kind {
    case .boolean: "`true`, `false`"
    case .int(let range), .long(let range): numbers(range)
    case .double(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
    case .string: "text"
    case .choice(let choices): choices.map(code).joined(separator: ", ")
    case .list(let choices): "a list of " + choices.map(code).joined(separator: ", ")
    case .freeList: "a list"
    case .regions: "Regions: `eu,us`"
    case .throttledReplicas: "a list of partition:broker, or `*`"
    case .regionCounts: "Regions with numbers: `eu:2,us:1`"
    }
  }

  private static func numbers(_ range: ClosedRange<Int64>) -> String {
    range.upperBound >= Int64(Int32.max) ? "from \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
  }
}
