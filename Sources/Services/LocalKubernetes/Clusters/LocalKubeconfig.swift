import Processes
import JSONValue
import YAML

/// Kubeconfigs with a context for each server.
enum LocalKubeconfig {
  struct Context: Sendable {
    var name: String
    var url: String
    /// Says who calls; servers here believe everybody.
    var token: String
  }

  static func text(_ contexts: [Context]) -> String {
    let config: JSON = [
      "apiVersion": "v1", "kind": "Config", "current-context": JSON(contexts.first?.name ?? ""),
      "clusters": .array(contexts.map { ["name": JSON($0.name), "cluster": ["server": JSON($0.url)]] }),
      "users": .array(contexts.map { ["name": JSON($0.name), "user": ["token": JSON($0.token)]] }),
      "contexts": .array(
        contexts.map {
          [
            "name": JSON($0.name),
            "context": ["cluster": JSON($0.name), "user": JSON($0.name), "namespace": "default"],
          ]
        }),
    ]
    return config.yamlText()
  }

  static func write(_ contexts: [Context], to path: String) {
    File.replace(path, with: Array(text(contexts).utf8))
  }
}
