import JSONValue
import Testing

@testable import LocalKubernetes

@Suite struct PodWordsTests {
  private let mounts: [ContainerWords.Mount] = [
    .init(path: "/etc/app", folder: "/real/conf"), .init(path: "/data", folder: "/real/data"),
    .init(path: "/data/cold", folder: "/real/cold"),
  ]

  @Test(arguments: [
    ("/etc/app/x.properties", "/real/conf/x.properties"),
    ("log.dirs=/data/a,/data/cold/b", "log.dirs=/real/data/a,/real/cold/b"),
    ("/database", "/database"), ("/etc/apps", "/etc/apps"), ("/data", "/real/data"), ("/var/data", "/var/data"),
    ("http://host/data", "http://host/data"),
  ])
  func pathsBelowAMountBecomeThoseOfItsFolder(text: String, relocated: String) {
    #expect(ContainerWords.relocated(text, mounts) == relocated)
  }

  @Test(arguments: [
    ("$(A)", "1"), ("x$(A)y$(B)", "x1y2"), ("$$(A)", "$(A)"), ("$(C)", "$(C)"), ("$A", "$A"), ("100$", "100$"),
    ("$(A", "$(A"),
  ])
  func variablesAreExpandedAsKubernetesDoes(text: String, expanded: String) {
    #expect(ContainerWords.expanded(text, [("A", "1"), ("B", "2")]) == expanded)
  }

  @Test func anEnvironmentComesFromFieldsMapsAndSecrets() throws {
    let container: JSON = [
      "args": ["--at", "$(IP):9092", "$(SUM)"],
      "env": [
        ["name": "IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
        ["name": "LABEL", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['a/b']"]]],
        ["name": "MAP", "valueFrom": ["configMapKeyRef": ["name": "m", "key": "k"]]],
        ["name": "SECRET", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]],
        ["name": "NONE", "valueFrom": ["secretKeyRef": ["name": "s", "key": "z", "optional": true]]],
        ["name": "SUM", "value": "$(MAP)-$(SECRET)"],
      ],
    ]
    let pod: JSON = ["metadata": ["name": "p", "labels": ["a/b": "c"]]]
    let words = try ContainerWords(container, pod: pod, address: "127.9.1.4", mounts: []) { kind, name in
      switch (kind, name) {
      case (.configMaps, "m"): ["data": ["k": "v"]]
      case (.secrets, "s"): ["data": ["k": "eA=="]]
      default: nil
      }
    }
    #expect(words.arguments == ["--at", "127.9.1.4:9092", "v-x"])
    #expect(words.environment.map(\.name) == ["IP", "LABEL", "MAP", "SECRET", "SUM"])
    #expect(words.environment[1].value == "c")
  }

  @Test func whatIsMissingIsSaid() {
    let container: JSON = ["env": [["name": "A", "valueFrom": ["configMapKeyRef": ["name": "m", "key": "k"]]]]]
    do throws(ContainerWords.Missing) {
      _ = try ContainerWords(container, pod: ["metadata": ["namespace": "a"]], address: "", mounts: []) { _, _ in nil }
      Issue.record("nothing was missing")
    } catch { #expect(error.words == "couldn't find key k in ConfigMap a/m") }
  }
}
