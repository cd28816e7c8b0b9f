import Broker
import Glibc

let log = BrokerLog { level, message, fields in
  let rest = fields.sorted { $0.key < $1.key }.map { ",\"\($0.key)\":\"\($0.value)\"" }.joined()
  let line = Array("{\"level\":\"\(level)\",\"message\":\"\(message)\"\(rest)}\n".utf8)
  _ = write(2, line, line.count)
}
exit(BrokerCommand.run(Array(CommandLine.arguments.dropFirst(2)), log: log))
