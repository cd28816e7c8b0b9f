let topicCommands: [Command] = [
  Command(
    "topics", "list", "Lists the topics of the cluster.",
    options: [.flag("internal", "internal topics as well"), .output, .bootstrap], perform: listTopics),
  Command(
    "topics", "describe", "Shows the partitions of topics, their leaders and replicas.", operands: "NAME…",
    count: 1...Int.max, options: [.output, .bootstrap], perform: describeTopics),
  Command(
    "topics", "create", "Makes a topic.", operands: "NAME", count: 1...1,
    options: [
      .value("partitions", "N", "how many partitions (the broker's num.partitions)"),
      .value("replication-factor", "R", "how many replicas of each (the broker's default.replication.factor)"),
      .values("config", "KEY=VALUE", "a setting of the topic; may be there several times"),
      .flag("if-not-exists", "a topic that is there already is no error"),
      .flag("validate-only", "only says whether it could be made"), .bootstrap,
    ], perform: createTopic),
  Command(
    "topics", "delete", "Deletes topics with all their records.", operands: "NAME…", count: 1...Int.max,
    options: [.flag("if-exists", "a topic that is not there is no error"), .bootstrap], perform: deleteTopics),
  Command(
    "topics", "add-partitions", "Gives a topic more partitions.", operands: "NAME", count: 1...1,
    options: [
      .value("total", "N", "how many there are to be in all"),
      .flag("validate-only", "only says whether it could be done"), .bootstrap,
    ], perform: addPartitions),
  Command(
    "topics", "offsets", "Shows the first and the next offset of each partition.", operands: "NAME", count: 1...1,
    options: [.output, .bootstrap], perform: showOffsets),
]
