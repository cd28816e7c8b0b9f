import Broker

func recoverQuorum(_ arguments: Arguments, _ console: Console) async throws {
  guard let folders = arguments.text("folder") else {
    throw UsageError("quorum recover needs --folder PATH, the data folder of a node that survives")
  }
  let reports = arguments.text("reports").map(commaSeparated) ?? []
  let recovery = try QuorumRecovery(folders: commaSeparated(folders), reports: reports)
  do {
    try recover(recovery, arguments, console)
  } catch {
    // A folder in which nothing was done was stopped cleanly if it was before.
    try? recovery.release()
    throw error
  }
  try recovery.release()
}

private func recover(_ recovery: QuorumRecovery, _ arguments: Arguments, _ console: Console) throws {
  if arguments.has("report") {
    return try console.write(recovery.reportLines.map { $0 + "\n" }.joined())
  }
  let decision = try recovery.decide()
  try console.write(decision.explanation)
  if !arguments.has("yes") {
    try console.write("\nThis cannot be undone. The cluster's id, to go on: ")
    try console.flush()
    guard readLine(console) == decision.clusterID else {
      throw Failure("that is not the cluster's id; nothing was changed")
    }
  }
  try console.write("\n" + recovery.perform(decision))
}

private func commaSeparated(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

private func readLine(_ console: Console) -> String {
  var bytes: [UInt8] = []
  while let byte = console.readInput(upTo: 1).first, byte != UInt8(ascii: "\n") { bytes.append(byte) }
  return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
}
