import Processes
import CLinux
import EventLoop
import Glibc
import JSONValue
import KubernetesAPI
import Synchronization
import Vocabulary

/// Runs the containers of one pod as processes, from a thread of its own: they die with it.
final class PodRunner: Sendable {
  struct Place: Sendable {
    /// What stands for the image, whichever it is.
    var program: String
    var folder: String
    var volumes: Volumes
    /// The pod's own loopback address.
    var address: String
    /// Variables that every process here gets.
    var environment: [String]
    var backoff: Backoff
  }
  /// How long a container that ended waits for its next start.
  struct Backoff: Sendable {
    var first = TimeSpan.seconds(1)
    var longest = TimeSpan.seconds(60)
    /// After running for so long it begins with the first again.
    var forgivenAfter = TimeSpan.seconds(120)
  }
  private enum Wish: Sendable {
    case run(JSON)
    /// The object is gone, or the node goes down: everything is killed at once.
    case kill
  }

  let uid: String
  let key: ObjectKey
  let place: Place
  let server: LocalAPIServer
  private let bell: Bell
  private let wish: Mutex<Wish>
  private let ended = Atomic<Bool>(false)
  private let thread: Mutex<JoinedThread?>

  init(_ pod: JSON, _ place: Place, _ server: LocalAPIServer) throws(SystemError) {
    uid = pod.uid
    key = ObjectKey(namespace: pod.namespace, name: pod.name)
    self.place = place
    self.server = server
    bell = try Bell()
    wish = Mutex(.run(pod))
    thread = Mutex(nil)
    let started = try JoinedThread(name: "pod \(pod.name)") { [self] in
      var work = PodWork(self, pod)
      work.run()
      ended.store(true, ordering: .releasing)
    }
    thread.withLock { $0 = started }
  }

  var hasEnded: Bool { ended.load(ordering: .acquiring) }

  /// Tells the newest state of the pod, or that something that it uses has changed.
  func update(_ pod: JSON) {
    wish.withLock { if case .run = $0 { $0 = .run(pod) } }
    bell.ring()
  }

  /// Ends the processes at once.
  func kill() {
    wish.withLock { $0 = .kill }
    bell.ring()
  }

  func join() { thread.withLock { $0.take() }?.join() }

  /// Nil when everything is to be killed.
  var wanted: JSON? { wish.withLock { if case .run(let pod) = $0 { pod } else { nil } } }

  /// Waits for news or for the end of a process.
  func wait(_ descriptor: Int32, milliseconds: Int64) {
    if linux_poll_two(bell.descriptor, descriptor, Int32(clamping: max(0, milliseconds))) & 1 != 0 { bell.silence() }
  }

  func find(_ name: ResourceName, _ object: String) -> JSON? {
    server.state.withLock { $0.store.object(name, ObjectKey(namespace: key.namespace, name: object)) }
  }

  func log(_ container: String) -> String { "\(place.folder)/\(container).log" }

  /// An Event about the pod; the same one again is counted.
  func tell(_ type: String, _ reason: String, _ message: String) {
    _ = try? server.write { store, now throws(APIFailure) in
      let name = "\(key.name).\(hexadecimal(fnv(uid + reason + message), 16))"
      let eventKey = ObjectKey(namespace: key.namespace, name: name)
      let time = JSON(KubernetesTime.text(now))
      let options = WriteOptions(manager: "kubelet", now: now)
      if var known = store.object(.events, eventKey) {
        known["count"] = JSON((known["count"].int ?? 1) + 1)
        known["lastTimestamp"] = time
        _ = try store.update(.events, version: "v1", eventKey, known, options)
        return
      }
      _ = try store.create(
        .events, version: "v1", namespace: key.namespace,
        [
          "metadata": ["name": JSON(name)], "type": JSON(type), "reason": JSON(reason), "message": JSON(message),
          "count": 1, "firstTimestamp": time, "lastTimestamp": time, "source": ["component": "kubelet"],
          "involvedObject": [
            "apiVersion": "v1", "kind": "Pod", "name": JSON(key.name), "namespace": JSON(key.namespace),
            "uid": JSON(uid),
          ],
        ], options)
    }
  }

  func publish(_ status: JSON) {
    _ = try? server.write { store, now throws(APIFailure) in
      guard var pod = store.object(.pods, key), pod.uid == uid else { return }
      pod["metadata"].remove("resourceVersion")
      pod["status"] = status
      _ = try store.update(
        .pods, version: "v1", key, pod, subresource: "status", WriteOptions(manager: "kubelet", now: now))
    }
  }

  /// The processes have ended: the object may go.
  func remove() {
    _ = try? server.write { store, now throws(APIFailure) in
      var options = DeleteOptions()
      options.uid = uid
      options.graceSeconds = 0
      _ = try store.delete(.pods, key, options, now: now)
    }
  }
}
