import Broker
import Glibc
import Telemetry

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "broker": exit(BrokerCommand.run(Array(arguments.dropFirst()), log: Log("broker")))
default:
  print("Usage: swiftwater broker [server.properties] [--override key=value ...]")
  exit(2)
}
