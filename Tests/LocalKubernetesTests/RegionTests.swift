import Processes
import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import Testing
import Vocabulary

@testable import LocalKubernetes

/// A folder of a test's own, and a Region in it whose pods are small shell programs.
private final class Place {
  let folder: String
  let cluster: LocalCluster

  init(_ regions: [String] = ["east"], runsControllers: Bool = true) throws {
    folder = "/tmp/local-cluster-\(UInt64.random(in: 0...UInt64.max))"
    var settings = LocalCluster.Settings(folder: folder, regions: regions)
    settings.firstNetwork = UInt8.random(in: 100...240)
    settings.backoff = (first: 50, longest: 200)
    settings.runsControllers = runsControllers
    cluster = LocalCluster(settings)
    try cluster.start()
  }

  deinit {
    cluster.stop()
    var words = [strdup("rm"), strdup("-rf"), strdup(folder), nil]
    var child = pid_t()
    if posix_spawnp(&child, "rm", nil, nil, &words, environ) == 0 { waitpid(child, nil, 0) }
    for word in words { free(word) }
  }

  func client(_ region: String = "east") throws -> APIServer {
    let target = try Kubeconfig(files: [cluster.kubeconfigPath]).target(context: region)
    return try APIServer(name: region, target: target)
  }
}

private let pods = ResourceType("", "v1", "pods", kind: "Pod")
private func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "default", name: name) }

private func pod(_ name: String, _ script: String, _ more: JSON = [:], spec: JSON = [:]) -> JSON {
  var container: JSON = [
    "name": "c", "image": "none", "command": ["/bin/sh", "-c", JSON(script)],
    "env": [["name": "POD_IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]]],
  ]
  for member in more.members { container[member.key] = member.value }
  var object: JSON = ["metadata": ["name": JSON(name), "namespace": "default"], "spec": spec]
  object["spec"]["containers"] = [container]
  return object
}

/// Waits by a watch until an object is as wished; nil means gone.
private func wait(_ client: APIServer, _ name: String, until isRight: (JSON?) -> Bool) async throws {
  let selection = APIServer.Selection(namespace: "default", fields: "metadata.name=\(name)")
  let listing = try await client.list(pods, selection)
  if isRight(listing.objects.first) { return }
  let watch = await client.watch(pods, selection, from: listing.resourceVersion, lasting: .seconds(60))
  while let event = try await watch.next() {
    switch event {
    case .added(let object), .modified(let object): if isRight(object) { return watch.cancel() }
    case .deleted: if isRight(nil) { return watch.cancel() }
    default: break
    }
  }
  Issue.record("\(name) did not come to be as wished")
}

private func status(_ pod: JSON?) -> JSON { pod?["status"]["containerStatuses"][0] ?? .null }

@Suite struct RegionTests {
  @Test func aPodIsAProcessWithItsFilesAndAddress() async throws {
    let place = try Place()
    let client = try place.client()
    let maps = ResourceType("", "v1", "configmaps", kind: "ConfigMap")
    let map: JSON = ["metadata": ["name": "m", "namespace": "default"], "data": ["greeting": "hello"]]
    _ = try await client.create(maps, map)
    let mounted: JSON = ["volumeMounts": [["name": "v", "mountPath": "/etc/said"]]]
    let spec: JSON = ["volumes": [["name": "v", "configMap": ["name": "m"]]]]
    let script = "cat /etc/said/greeting; echo \" at $(POD_IP)\"; exec sleep 1000"
    _ = try await client.create(pods, pod("p", script, mounted, spec: spec))
    try await wait(client, "p") { status($0)["ready"] == true }
    let running = try await client.get(pods, key("p"))
    let address = try #require(running["status"]["podIP"].string)
    #expect(address.hasPrefix("127.") && running["status"]["phase"] == "Running")
    let path = "\(place.folder)/east/pods/default_p/c.log"
    var log = ""
    while !log.hasSuffix("\n") { log = String(decoding: File.read(path) ?? [], as: UTF8.self) }
    #expect(log == "hello at \(address)\n")
    try await client.delete(pods, key("p"))
    try await wait(client, "p") { $0 == nil }
  }

  @Test func aProcessThatEndsIsStartedAgain() async throws {
    let place = try Place()
    let client = try place.client()
    _ = try await client.create(pods, pod("p", "exit 3"))
    try await wait(client, "p") { status($0)["restartCount"].int ?? 0 >= 2 }
    let last = status(try await client.get(pods, key("p")))["lastState"]["terminated"]
    #expect(last["exitCode"] == 3)
  }

  @Test func aPodEndsWhenItIsToldToAndNotWhenItLikes() async throws {
    let place = try Place()
    let client = try place.client()
    let spec: JSON = ["terminationGracePeriodSeconds": 1]
    let hook: JSON = ["lifecycle": ["preStop": ["exec": ["command": ["/bin/sh", "-c", "echo stopping"]]]]]
    _ = try await client.create(
      pods, pod("p", "trap '' TERM; echo deaf; while :; do sleep 1000; done", hook, spec: spec))
    try await wait(client, "p") { status($0)["ready"] == true }
    let identity = status(try await client.get(pods, key("p")))["containerID"].string ?? ""
    let process = try #require(Int32(identity.split(separator: "/").last ?? ""))
    try await client.delete(pods, key("p"))
    try await wait(client, "p") { $0 == nil }
    #expect(kill(process, 0) == -1 && errno == ESRCH)
    let log = String(decoding: File.read("\(place.folder)/east/pods/default_p/c.log") ?? [], as: UTF8.self)
    #expect(log.contains("stopping"))
  }

  @Test func aPodIsReadyWhenItsProbeSaysSo() async throws {
    let place = try Place()
    let client = try place.client()
    let flag = "\(place.folder)/flag"
    let probe: JSON = [
      "readinessProbe": ["exec": ["command": ["/usr/bin/test", "-e", JSON(flag)]], "periodSeconds": 1]
    ]
    _ = try await client.create(pods, pod("p", "exec sleep 1000", probe))
    try await wait(client, "p") { status($0)["started"] == true }
    #expect(status(try await client.get(pods, key("p")))["ready"] == false)
    File.replace(flag, with: [])
    try await wait(client, "p") { pod in pod.map(StatefulSets.isReady) ?? false }
  }

  @Test func aRegionComesBackWithItsStateAndItsAddresses() async throws {
    let place = try Place()
    let region = try #require(place.cluster["east"])
    let client = try place.client()
    _ = try await client.create(pods, pod("p", "exec sleep 1000"))
    try await wait(client, "p") { status($0)["ready"] == true }
    let before = try await client.get(pods, key("p"))
    let url = region.url
    region.stop()
    #expect(region.server == nil)
    try region.start()
    #expect(region.url == url)
    let back = try place.client()
    try await wait(back, "p") { status($0)["restartCount"] == 1 && status($0)["ready"] == true }
    let after = try await back.get(pods, key("p"))
    #expect(after.uid == before.uid && after["status"]["podIP"] == before["status"]["podIP"])
  }

  @Test func aCutRegionReachesNobodyAndNobodyReachesIt() async throws {
    let place = try Place(["east", "west"], runsControllers: false)
    place.cluster.cut("east")
    let east = try #require(place.cluster["east"]?.server)
    let west = try #require(place.cluster["west"]?.server)
    func reaches(_ server: LocalAPIServer, _ token: String) async throws -> Bool {
      do {
        _ = try await Served.client(of: server, token: token, patience: .milliseconds(300)).list(pods)
        return true
      } catch { return false }
    }
    #expect(try await reaches(east, "region:east"))
    #expect(try await reaches(east, "region:west") == false)
    #expect(try await reaches(west, "region:east") == false)
    #expect(try await reaches(west, "people"))
    place.cluster.heal("east")
    #expect(try await reaches(east, "people"))
    #expect(try await reaches(west, "region:east"))
  }
}
