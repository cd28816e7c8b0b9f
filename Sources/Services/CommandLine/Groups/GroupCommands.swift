let groupCommands: [Command] = [
  Command(
    "groups", "list", "Lists the groups of consumers.", options: [.output, .bootstrap], perform: listGroups),
  Command(
    "groups", "describe", "Shows the members of groups and how far they have read.", operands: "NAME…",
    count: 1...Int.max, options: [.output, .bootstrap], perform: describeGroups),
  Command(
    "groups", "delete", "Deletes groups without members, with their offsets.", operands: "NAME…", count: 1...Int.max,
    options: [.bootstrap], perform: deleteGroups),
  Command(
    "groups", "offsets", "Shows what groups have committed and how far that is from the end.", operands: "NAME…",
    count: 1...Int.max, options: [.output, .bootstrap], perform: showGroupOffsets),
  Command(
    "groups", "reset-offsets", "Moves a group without members; only shows how, unless --execute is there.",
    operands: "NAME", count: 1...1,
    options: [
      .value("topic", "T", "the topic to move in"),
      .value("partition", "N", "only this partition of it"),
      .flag("to-earliest", "to the first record"), .flag("to-latest", "to the end"),
      .value("to-offset", "N", "to this offset, or the nearest that is there"),
      .value("to-datetime", "MS", "to the first record as late as this (milliseconds since 1970)"),
      .flag("execute", "does it"), .output, .bootstrap,
    ], perform: resetOffsets),
]
