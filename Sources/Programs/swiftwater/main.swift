import Broker
import CommandLine
import Glibc
import Operator
import Telemetry

let arguments = Array(Swift.CommandLine.arguments.dropFirst())
switch arguments.first {
case "broker": exit(BrokerCommand.run(Array(arguments.dropFirst()), log: Log("broker")))
case "operator": exit(OperatorCommand.run(Array(arguments.dropFirst()), log: Log("operator")))
case "storage": exit(StorageCommand.run(Array(arguments.dropFirst())))
default: exit(CommandLineTool.run(arguments))
}
