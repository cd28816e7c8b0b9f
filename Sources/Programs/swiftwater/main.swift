import Broker
import CommandLine
import Glibc
import Operator
import Telemetry

var arguments = Array(Swift.CommandLine.arguments.dropFirst())
// As a plugin of kubectl it has another name.
if Swift.CommandLine.arguments.first?.split(separator: "/").last == "kubectl-swiftwater" {
  arguments.insert("kubectl", at: 0)
}
switch arguments.first {
case "broker": exit(BrokerCommand.run(Array(arguments.dropFirst()), log: Log("broker")))
case "operator": exit(OperatorCommand.run(Array(arguments.dropFirst()), log: Log("operator")))
case "storage": exit(StorageCommand.run(Array(arguments.dropFirst())))
default: exit(CommandLineTool.run(arguments))
}
