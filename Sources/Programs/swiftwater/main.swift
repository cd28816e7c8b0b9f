import Broker
import Glibc

let log = BrokerLog { level, message, fields in
  let line = Array("\(level) \(message) \(fields)\n".utf8)
  _ = write(2, line, line.count)
}
exit(BrokerCommand.run(Array(CommandLine.arguments.dropFirst(2)), log: log))
