public import EventLoop
public import JSONValue
public import Vocabulary

extension ResourceType {
  public static let leases = ResourceType("coordination.k8s.io", "v1", "leases", kind: "Lease")
}

extension LeaseRecord {
  /// Nil when the object has no specification.
  public init?(object: JSON) {
    let spec = object["spec"]
    guard spec.object != nil, let version = object["metadata"]["resourceVersion"].string else { return nil }
    func time(_ name: String) -> Timestamp? { spec[name].string.flatMap(KubernetesTime.parse) }
    self.init(
      holder: spec["holderIdentity"].string ?? "", duration: .seconds(spec["leaseDurationSeconds"].int64 ?? 1),
      acquired: time("acquireTime"), renewed: time("renewTime"), transitions: spec["leaseTransitions"].int ?? 0,
      annotations: object["metadata"]["annotations"].texts ?? [:], resourceVersion: version)
  }

  func object(_ key: ObjectKey) -> JSON {
    var object: JSON = [
      "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
      "metadata": ["name": JSON(key.name), "namespace": JSON(key.namespace)],
      "spec": [
        "holderIdentity": JSON(holder), "leaseDurationSeconds": JSON(duration.milliseconds / 1000),
        "leaseTransitions": JSON(transitions),
      ],
    ]
    if !annotations.isEmpty { object["metadata"]["annotations"] = JSON(annotations) }
    if !resourceVersion.isEmpty { object["metadata"]["resourceVersion"] = JSON(resourceVersion) }
    if let acquired { object["spec"]["acquireTime"] = JSON(KubernetesTime.microText(acquired)) }
    if let renewed { object["spec"]["renewTime"] = JSON(KubernetesTime.microText(renewed)) }
    return object
  }
}

/// One Lease on one API server, as one candidate sees it: a `LeaseElection` with its requests.
public actor Lease {
  public let server: APIServer
  public let key: ObjectKey
  private var election: LeaseElection

  /// Durations below a few round trips lose the Lease for no reason.
  public init(_ server: APIServer, _ key: ObjectKey, identity: String, duration: TimeSpan) {
    self.server = server
    self.key = key
    election = LeaseElection(identity: identity, duration: duration)
  }

  /// What is known without asking. After a failure the Lease stays ours until its time is over, and not longer.
  public func isHeld(at now: Instant = monotonicNow()) -> Bool { election.isHeld(at: now) }
  public var heldUntil: Instant? { election.heldUntil }
  public var record: LeaseRecord? { election.record }

  /// Looks at the Lease, and takes or renews it if that is due: to be called every third of its duration. With
  /// `annotations` they are written with it. Returns whether it is ours; that another one was faster is no error.
  public func attempt(annotations: [String: String]? = nil) async throws(APIError) -> Bool {
    // A look that takes longer than the time to the next one is of no use.
    let patience = TimeSpan(nanoseconds: election.duration.nanoseconds / 3)
    let result: Result<Bool, APIError> = await APIServer.$patienceMax.withValue(patience) {
      do throws(APIError) { return .success(try await look(annotations)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Looks at the Lease without taking it, so that its time runs. Returns whether it could be taken now, or is ours.
  public func observe() async throws(APIError) -> Bool {
    let patience = TimeSpan(nanoseconds: election.duration.nanoseconds / 3)
    let result: Result<Void, APIError> = await APIServer.$patienceMax.withValue(patience) {
      do throws(APIError) { return .success(try await read()) } catch { return .failure(error) }
    }
    try result.get()
    switch election.decide(at: monotonicNow(), wall: wallClockNow()) {
    case .create, .write: return true
    case .wait, nil: return false
    }
  }

  private func read() async throws(APIError) {
    var known: LeaseRecord?
    if let found = try await server.find(.leases, key) {
      guard let record = LeaseRecord(object: found) else {
        throw APIError(
          server: server.name, operation: "read the Lease \(key)", cause: .malformed("it has no specification"))
      }
      known = record
    }
    election.observed(known, at: monotonicNow())
  }

  private func look(_ annotations: [String: String]?) async throws(APIError) -> Bool {
    try await read()
    let sentAt = monotonicNow()
    do {
      switch election.decide(at: sentAt, wall: wallClockNow(), annotations: annotations) {
      case .create(let record): try await written(server.create(.leases, record.object(key)), sentAt)
      case .write(let record): try await written(server.update(.leases, record.object(key)), sentAt)
      case .wait, nil: break
      }
    } catch {
      // Somebody was faster; the next look shows who.
      guard error.isConflict || error.isAlreadyExists || error.isNotFound else { throw error }
      election.observed(nil, at: monotonicNow())
    }
    return election.isHeld(at: monotonicNow())
  }

  /// Gives the Lease up, if it is ours. It is not believed in any more from the beginning of the call.
  public func release() async throws(APIError) {
    guard let record = election.release(wall: wallClockNow()) else { return }
    do { _ = try await server.update(.leases, record.object(key)) } catch {
      guard error.isConflict || error.isNotFound else { throw error }
    }
  }

  private func written(_ object: JSON, _ sentAt: Instant) throws(APIError) {
    guard let record = LeaseRecord(object: object) else {
      throw APIError(
        server: server.name, operation: "write the Lease \(key)", cause: .malformed("it has no specification"))
    }
    election.wrote(record, sentAt: sentAt)
  }
}
