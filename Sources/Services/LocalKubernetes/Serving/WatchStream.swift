import EventLoop
import HTTP
import JSONValue
import KubernetesAPI
import Synchronization
import Vocabulary

/// One client's watch: it remembers how far it has told, and reads on in the history when its bell rings.
final class WatchStream: Sendable {
  struct Subject: Sendable {
    var definition: ResourceDefinition
    var version: String
    var query: Query
    var form: APIRequest.Form
    var includesObject: String
    var wantsBookmarks: Bool
    /// A bookmark says when the initial state is complete.
    var announcesStart = false
    var epoch: Int
    var deadline: Instant
  }
  private struct Progress {
    var revision: Int64
    var initial: [JSON]
    var isStarting = true
    var hasEnded = false
    var nextBookmark: Instant
    /// Columns are told once.
    var hasColumns = true
  }
  /// Bookmarks come this often when nothing else does.
  static let bookmarkPeriod = TimeSpan.seconds(5)
  /// Whether the client has gone is looked at this often.
  static let patience = TimeSpan.seconds(1)

  let subject: Subject
  let bell: Bell
  private let server: LocalAPIServer
  private let progress: Mutex<Progress>

  init(_ server: LocalAPIServer, _ subject: Subject, from revision: Int64, initial: [JSON]) throws(SystemError) {
    self.server = server
    self.subject = subject
    bell = try Bell()
    progress = Mutex(
      Progress(revision: revision, initial: initial, nextBookmark: monotonicNow() + Self.bookmarkPeriod))
  }

  var name: ResourceName { subject.definition.name }

  func next() -> StreamPart {
    let now = monotonicNow()
    let (isStale, epoch, isStopping) = server.watchWeather
    if epoch != subject.epoch || isStopping { return .cut }
    if isStale { return pause(until: subject.deadline, now) }
    let (bytes, hasEnded) = progress.withLock { told(&$0, now) }
    if !bytes.isEmpty { return .bytes(bytes) }
    if hasEnded || now >= subject.deadline { return .end }
    return pause(until: subject.deadline, now)
  }

  private func pause(until deadline: Instant, _ now: Instant) -> StreamPart {
    if now >= deadline { return .end }
    let wait = min((deadline - now).milliseconds + 1, Self.patience.milliseconds)
    return bell.wait(milliseconds: wait) ? .bytes([]) : .nothingYet
  }

  private func told(_ progress: inout Progress, _ now: Instant) -> (bytes: [UInt8], hasEnded: Bool) {
    if progress.hasEnded { return ([], true) }
    var bytes: [UInt8] = []
    for object in progress.initial { put("ADDED", object, &bytes, &progress) }
    progress.initial = []
    if progress.isStarting && subject.announcesStart {
      putBookmark(&bytes, progress.revision, isStart: true)
    }
    progress.isStarting = false
    do {
      let (events, latest) = try server.events(name, after: progress.revision)
      for event in events { put(event, &bytes, &progress) }
      progress.revision = max(progress.revision, latest)
    } catch {
      line("ERROR", error.status, &bytes)
      progress.hasEnded = true
    }
    if !bytes.isEmpty {
      progress.nextBookmark = now + Self.bookmarkPeriod
    } else if subject.wantsBookmarks && (now >= progress.nextBookmark || now >= subject.deadline) {
      progress.nextBookmark = now + Self.bookmarkPeriod
      progress.hasEnded = now >= subject.deadline
      putBookmark(&bytes, progress.revision, isStart: false)
    }
    return (bytes, false)
  }

  private func put(_ event: StoreEvent, _ bytes: inout [UInt8], _ progress: inout Progress) {
    let isIn = event.kind != .deleted && subject.query.matches(event.object)
    let wasIn = !event.previous.isNull && subject.query.matches(event.previous)
    switch (wasIn, isIn) {
    case (false, false): break
    case (false, true): put("ADDED", event.object, &bytes, &progress)
    case (true, true): put("MODIFIED", event.object, &bytes, &progress)
    case (true, false):
      // What left the selection is told as it was when it was in it, with the revision of its leaving.
      var last = event.previous
      last["metadata"]["resourceVersion"] = JSON(String(event.revision))
      put("DELETED", last, &bytes, &progress)
    }
  }

  private func put(_ type: String, _ object: JSON, _ bytes: inout [UInt8], _ progress: inout Progress) {
    let shown = Served.one(object, subject.definition, subject.version)
    switch subject.form {
    case .object: line(type, shown, &bytes)
    case .metadata: line(type, Served.metadata(shown), &bytes)
    case .table:
      let table = Table.of(
        [shown], subject.definition, subject.version,
        metadata: ["resourceVersion": object["metadata"]["resourceVersion"]], now: wallClockNow(),
        includesObject: subject.includesObject, hasColumns: progress.hasColumns)
      progress.hasColumns = false
      line(type, table, &bytes)
    }
  }

  private func putBookmark(_ bytes: inout [UInt8], _ revision: Int64, isStart: Bool) {
    var object: JSON = [
      "kind": JSON(subject.definition.kind), "apiVersion": JSON(subject.definition.apiVersion(subject.version)),
      "metadata": ["resourceVersion": JSON(String(revision)), "creationTimestamp": .null],
    ]
    if isStart { object["metadata"]["annotations"] = ["k8s.io/initial-events-end": "true"] }
    if subject.form == .table {
      object = [
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": .null, "rows": [],
        "metadata": ["resourceVersion": JSON(String(revision))],
      ]
    }
    line("BOOKMARK", object, &bytes)
  }

  private func line(_ type: String, _ object: JSON, _ bytes: inout [UInt8]) {
    let event: JSON = ["type": JSON(type), "object": object]
    bytes += event.bytes()
    bytes.append(UInt8(ascii: "\n"))
  }
}

/// Objects as they are shown.
enum Served {
  static func one(_ object: JSON, _ definition: ResourceDefinition, _ version: String) -> JSON {
    if version == definition.storageVersion { return object }
    var object = object
    object["apiVersion"] = JSON(definition.apiVersion(version))
    return object
  }

  static func metadata(_ object: JSON) -> JSON {
    ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]]
  }
}
