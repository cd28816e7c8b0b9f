let quorumCommands: [Command] = [
  Command(
    "quorum", "status", "Shows who leads the metadata quorum, who votes and who follows.",
    options: [.flag("replication", "how far each of them is"), .output, .bootstrap], perform: showQuorum),
  Command(
    "quorum", "add", "Makes a controller that follows the quorum a voter.",
    options: [
      .value("config", short: "c", "FILE", "the new controller's server.properties, on its machine; or all of:"),
      .value("controller-id", "ID", "its node.id"),
      .value("controller-directory-id", "UUID", "the directory.id in its meta.properties"),
      .values("endpoint", "NAME://HOST:PORT", "its listener for controllers; may be there several times"),
      .value("timeout", "SECONDS", "how long to wait until it has caught up (60)"), .bootstrap,
    ], perform: addVoter),
  Command(
    "quorum", "remove", "Takes a voter out of the quorum.",
    options: [
      .value("controller-id", "ID", "its node.id"),
      .value("controller-directory-id", "UUID", "its directory id, as quorum status shows it"), .bootstrap,
    ], perform: removeVoter),
  Command(
    "quorum", "recover", "Brings a quorum back whose majority is gone for ever, on stopped nodes.",
    options: [
      .value("folder", "PATH[,…]", "the data folders of nodes that survive, on this machine"),
      .flag("report", "only writes what they have, as lines for --reports on other machines"),
      .value("reports", "FILE[,…]", "what the survivors on other machines have"),
      .flag("yes", "does it without asking"),
    ], perform: recoverQuorum),
]
