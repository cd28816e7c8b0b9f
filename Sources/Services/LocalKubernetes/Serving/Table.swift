import JSONValue
import KubernetesAPI
import Vocabulary

/// What `kubectl get` shows: it asks the server for rows and only draws them.
enum Table {
  static func of(
    _ objects: [JSON], _ definition: ResourceDefinition, _ version: String, metadata: JSON, now: Timestamp,
    includesObject: String, hasColumns: Bool = true
  ) -> JSON {
    let columns = definition.version(version)?.columns ?? []
    // A definition's own column of the age takes the place of the usual one.
    let hasAge = columns.contains { $0.name == "Age" }
    var table: JSON = ["kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata]
    let name: JSON = [
      "name": "Name", "type": "string", "format": "name", "description": "Name must be unique", "priority": 0,
    ]
    let declared: [JSON] = columns.map {
      [
        "name": JSON($0.name), "type": JSON($0.type), "format": JSON($0.format), "description": JSON($0.description),
        "priority": JSON($0.priority),
      ]
    }
    let age: JSON = ["name": "Age", "type": "string", "format": "", "description": "Age", "priority": 0]
    table["columnDefinitions"] = hasColumns ? .array([name] + declared + (hasAge ? [] : [age])) : .null
    table["rows"] = .array(
      objects.map { object in
        var cells: [JSON] = [JSON(object.name)]
        cells += columns.map { cell($0, object, definition.name, now) }
        if !hasAge { cells.append(JSON(shortAge(object["metadata"]["creationTimestamp"], now))) }
        return ["cells": .array(cells), "object": shown(object, includesObject)]
      })
    return table
  }

  private static func shown(_ object: JSON, _ includes: String) -> JSON {
    switch includes {
    case "Object": object
    case "None": .null
    default:
      ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]]
    }
  }

  private static func cell(_ column: TableColumn, _ object: JSON, _ name: ResourceName, _ now: Timestamp) -> JSON {
    if name == .pods && column.name == "Status" { return JSON(podStatus(object)) }
    if name == .nodes && column.name == "Status" { return "Ready" }
    if name == .pods && column.name == "Ready" {
      let states = object["status"]["containerStatuses"].elements
      let ready = states.count { $0["ready"] == true }
      return JSON("\(ready)/\(object["spec"]["containers"].elements.count)")
    }
    if name == .statefulSets && column.name == "Ready" {
      return JSON("\(object["status"]["readyReplicas"].int ?? 0)/\(object["spec"]["replicas"].int ?? 0)")
    }
    let values = column.path.values(in: object)
    guard let first = values.first else { return column.type == "integer" || name == .pods ? 0 : "" }
    if column.type == "date" { return JSON(shortAge(first, now)) }
    if column.type == "integer" || column.type == "number" || column.type == "boolean" { return first }
    return JSON(values.map { $0.string ?? $0.text() }.joined(separator: ","))
  }

  static func podStatus(_ pod: JSON) -> String {
    if pod.isBeingDeleted { return "Terminating" }
    let states = pod["status"]["containerStatuses"].elements.map { $0["state"] }
    let waiting = states.compactMap { $0["waiting"]["reason"].string }.first
    return waiting ?? pod["status"]["phase"].string ?? "Unknown"
  }

  /// `5s`, `3m12s`, `4h`, `2d`.
  static func shortAge(_ time: JSON, _ now: Timestamp) -> String {
    guard let text = time.string, let then = KubernetesTime.parse(text) else { return "<unknown>" }
    let seconds = max(0, (now.milliseconds - then.milliseconds) / 1000)
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400)
    if seconds < 120 { return "\(seconds)s" }
    if minutes < 10 { return seconds % 60 == 0 ? "\(minutes)m" : "\(minutes)m\(seconds % 60)s" }
    if hours < 3 { return "\(minutes)m" }
    return hours < 48 ? "\(hours)h" : "\(days)d"
  }
}
