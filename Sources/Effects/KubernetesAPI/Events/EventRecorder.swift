import EventLoop
public import JSONValue
import Vocabulary

extension ResourceType {
  public static let events = ResourceType("", "v1", "events", kind: "Event")
}

/// Tells people what happens to an object, as Events that `kubectl describe` shows (core/v1).
///
/// What is told again within ten minutes counts up the Event that is there, instead of making another one. Events are
/// for people: one that cannot be written is dropped, and nothing waits for it.
public actor EventRecorder {
  public enum Severity: String, Sendable { case normal = "Normal", warning = "Warning" }
  enum Limits {
    /// What is remembered to be counted up; beyond it the oldest are forgotten.
    static let rememberedMax = 512
    static let sameFor = TimeSpan.seconds(600)
    /// The server refuses longer ones.
    static let messageMax = 1024
  }
  private struct Remembered {
    let key: ObjectKey
    var count: Int
    var last: Instant
  }
  private let server: APIServer
  private let component: String
  private let instance: String
  private var remembered: [String: Remembered] = [:]
  private var made = 0

  /// The component is who speaks, such as `swiftwater-operator`; the instance is the pod's name.
  public init(_ server: APIServer, component: String, instance: String) {
    self.server = server
    self.component = component
    self.instance = instance
  }

  /// Writes an Event about an object that has a name, a kind and a uid. The reason is one word in CamelCase; the
  /// message a sentence. Returns what went wrong, for a log.
  @discardableResult public func tell(
    _ severity: Severity, _ reason: String, _ message: String, about object: JSON
  ) async -> APIError? {
    guard let about = ObjectKey(of: object) else { return nil }
    let words = String(message.prefix(Limits.messageMax))
    let identity = "\(object["metadata"]["uid"].string ?? "")\n\(about)\n\(severity.rawValue)\n\(reason)\n\(words)"
    let now = monotonicNow()
    let time = JSON(KubernetesTime.text(wallClockNow()))
    do throws(APIError) {
      if let known = remembered[identity], now - known.last < Limits.sameFor {
        remembered[identity] = Remembered(key: known.key, count: known.count + 1, last: now)
        do throws(APIError) {
          _ = try await server.mergePatch(
            .events, known.key, ["count": JSON(known.count + 1), "lastTimestamp": time])
          return nil
        } catch {
          // The server forgets Events after an hour or so.
          guard error.isNotFound else { throw error }
        }
      }
      let key = newKey(for: about)
      // Remembered before it is written, so that the same words meanwhile do not make another one.
      remember(identity, Remembered(key: key, count: 1, last: now))
      _ = try await server.create(.events, event(key, severity, reason, words, object, time))
      return nil
    } catch {
      remembered[identity] = nil
      return error
    }
  }

  private func event(
    _ key: ObjectKey, _ severity: Severity, _ reason: String, _ message: String, _ object: JSON, _ time: JSON
  ) -> JSON {
    let metadata = object["metadata"]
    let regarding: JSON = [
      "apiVersion": object["apiVersion"], "kind": object["kind"], "name": metadata["name"],
      "namespace": metadata["namespace"], "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"],
    ]
    return [
      "apiVersion": "v1", "kind": "Event", "metadata": ["name": JSON(key.name), "namespace": JSON(key.namespace)],
      "involvedObject": regarding.withoutNulls(), "type": JSON(severity.rawValue), "reason": JSON(reason),
      "message": JSON(message), "source": ["component": JSON(component)], "reportingComponent": JSON(component),
      "reportingInstance": JSON(instance), "count": 1, "firstTimestamp": time, "lastTimestamp": time,
    ]
  }

  private func newKey(for about: ObjectKey) -> ObjectKey {
    made += 1
    let suffix = String(UInt64(truncatingIfNeeded: wallClockNow().milliseconds), radix: 16) + String(made, radix: 16)
    // Events about what belongs to the whole cluster live in the default namespace.
    return ObjectKey(
      namespace: about.namespace.isEmpty ? "default" : about.namespace, name: "\(about.name.prefix(200)).\(suffix)")
  }

  private func remember(_ identity: String, _ event: Remembered) {
    remembered[identity] = event
    if remembered.count > Limits.rememberedMax {
      let oldest = remembered.min { ($0.value.last, $0.key) < ($1.value.last, $1.key) }
      if let oldest { remembered[oldest.key] = nil }
    }
  }
}
