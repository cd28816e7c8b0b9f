import KafkaClient
import KafkaProtocol
import Vocabulary

let brokerCommands: [Command] = [
  Command(
    "brokers", "list", "Lists the brokers of the cluster, those that are fenced too.", options: [.output, .bootstrap],
    perform: listBrokers),
  Command(
    "brokers", "unregister", "Forgets a broker that is gone for good.", operands: "ID", count: 1...1,
    options: [.bootstrap], perform: unregisterBroker),
]

private func listBrokers(_ arguments: Arguments, _ console: Console) async throws {
  let format = try Format(arguments)
  try await Session.run(arguments) { client in
    let cluster = try await client.cluster()
    var table = Table("BROKER", "RACK", "ADDRESS", "STATE")
    for broker in cluster.brokers {
      table.add(
        String(broker.brokerID), broker.rack ?? "-", broker.address, broker.isFenced ? "fenced" : "active")
    }
    try console.show(
      format, table: table.text,
      json: .array(
        cluster.brokers.map { broker in
          .object([
            "id": .number(broker.brokerID), "rack": .string(broker.rack), "host": .string(broker.host),
            "port": .number(broker.port), "fenced": .bool(broker.isFenced),
          ])
        }))
  }
}

private func unregisterBroker(_ arguments: Arguments, _ console: Console) async throws {
  let node = try Session.node(arguments.positionals[0])
  try await Session.run(arguments) { client in
    try await client.unregisterBroker(node)
    try console.write("broker \(node.value) is forgotten\n")
  }
}

extension DescribeClusterResponse.Broker {
  fileprivate var address: String {
    BrokerAddress(host: host, port: UInt16(clamping: port)).description
  }
}
