import JSONValue
import Testing
import Vocabulary

@testable import KubernetesAPI

@Suite struct SmallPartTests {
  @Test(
    arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")])
  func bytesBecomeBase64AndComeBack(bytes: String, text: String) {
    #expect(Base64.encode(Array(bytes.utf8)) == text)
    #expect(Base64.decode(text) == Array(bytes.utf8))
  }

  @Test func whatIsNotBase64IsRefused() {
    for text in ["Zg", "Zg=", "Zg===", "Z", "Zg==Zg==", "Z!==", "=", "Zm9v="] {
      #expect(Base64.decode(text) == nil, "\(text)")
    }
    #expect(Base64.decode("Zm\n9v\n") == Array("foo".utf8))
    #expect(Base64.decode(Base64.encode(Array(0...255))) == Array(0...255))
  }

  @Test(
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("2000-02-29T12:34:56Z", 951_827_696_000),
      ("2024-03-01T00:00:00Z", 1_709_251_200_000),
      ("2100-03-01T00:00:00Z", 4_107_542_400_000), ("1969-12-31T23:59:59Z", -1000),
    ] as [(String, Int64)])
  func aTimeIsWrittenAndRead(text: String, milliseconds: Int64) {
    #expect(KubernetesTime.text(Timestamp(milliseconds: milliseconds)) == text)
    #expect(KubernetesTime.parse(text) == Timestamp(milliseconds: milliseconds))
  }

  @Test func timesOfOtherZonesAndPrecisionsAreRead() {
    #expect(KubernetesTime.parse("2024-03-01T01:30:00.123456789+01:30")?.milliseconds == 1_709_251_200_123)
    #expect(KubernetesTime.parse("2024-02-29T22:00:00-02:00")?.milliseconds == 1_709_251_200_000)
    #expect(KubernetesTime.microText(Timestamp(milliseconds: 1_709_251_200_007)) == "2024-03-01T00:00:00.007000Z")
    for text in ["", "2024", "2024-03-01", "2024-13-01T00:00:00Z", "2024-03-01T00:00:00", "2024-03-01T00:00:00.Z", "x"]
    {
      #expect(KubernetesTime.parse(text) == nil, "\(text)")
    }
  }

  @Test func anAddressIsTakenApart() {
    let plain = ServerAddress("https://a.example/prefix")
    #expect(
      plain?.host == "a.example" && plain?.port == 443 && plain?.path == "/prefix" && plain?.hostAndPort == "a.example")
    let six = ServerAddress("https://[::1]:6443")
    #expect(six?.host == "[::1]" && six?.port == 6443 && six?.url(host: "kubernetes") == "https://kubernetes:6443")
    for text in [
      "", "a", "ftp://a", "https://", "https://a:0", "https://a:x", "https://a:70000", "https://u@a", "https://[::1",
    ] {
      #expect(ServerAddress(text) == nil, "\(text)")
    }
  }

  @Test func pathsAreThoseOfTheConventions() {
    let nodes = ResourceType("", "v1", "nodes", kind: "Node", scope: .cluster)
    let sets = ResourceType("apps", "v1", "statefulsets", kind: "StatefulSet")
    #expect(nodes.path(of: ObjectKey(name: "n"), .status) == "/api/v1/nodes/n/status")
    #expect(
      sets.path(of: ObjectKey(namespace: "a", name: "b/c"), nil) == "/apis/apps/v1/namespaces/a/statefulsets/b%2Fc")
    #expect(sets.path(in: nil) == "/apis/apps/v1/statefulsets")
    #expect(sets.at(version: "v1beta1").apiVersion == "apps/v1beta1")
  }

  @Test func onlyWhatCannotDoHarmIsRepeated() {
    let policy = RetryPolicy()
    func pause(_ cause: APIError.Cause, _ safety: RetryPolicy.Safety, attempt: Int = 1, chance: Double = 0) -> Int64? {
      policy.pause(after: cause, attempt: attempt, safety: safety, chance: chance)?.milliseconds
    }
    func status(_ code: Int, retryAfter: TimeSpan? = nil) -> APIError.Cause {
      .refused(StatusError(code: code, reason: "", message: "", retryAfter: retryAfter))
    }
    #expect(pause(status(500), .repeatable) == 50)
    #expect(pause(status(500), .once) == nil)
    #expect(pause(status(503), .once) == nil)
    #expect(pause(status(503, retryAfter: .seconds(2)), .once) == 2000)
    #expect(pause(status(429), .once) == 50)
    #expect(pause(status(404), .repeatable) == nil)
    #expect(pause(.notConnected(""), .once) == 50)
    #expect(pause(.cut(""), .once) == nil)
    #expect(pause(.cut(""), .repeatable, attempt: 3, chance: 0.5) == 300)
    #expect(pause(.cut(""), .repeatable, attempt: 4) == nil)
    #expect(pause(.timedOut, .repeatable) == nil)
  }

  @Test func aRefusalWithoutAStatusKeepsItsWords() {
    let head = TransferHead(status: 502, headers: ["retry-after": "3"])
    let refusal = StatusError(head: head, body: Array("<html>\nbad\ngateway".utf8))
    #expect(refusal.description == "status 502: <html> bad gateway")
    #expect(refusal.retryAfter == .seconds(3))
    let details: JSON = [
      "kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "wait",
      "details": ["retryAfterSeconds": 4],
    ]
    #expect(StatusError(head: .init(status: 429, headers: [:]), body: details.bytes()).retryAfter == .seconds(4))
  }

  @Test func aNewListTellsOnlyWhatChanged() {
    var cache = InformerCache<Int>()
    func item(_ name: String, _ version: Int) -> (key: ObjectKey, entry: InformerCache<Int>.Entry) {
      (ObjectKey(name: name), .init(resourceVersion: String(version), object: version))
    }
    func words(_ changes: [InformerChange<Int>]) -> [String] {
      changes.map { change in
        switch change {
        case .put(let key, let old, let new): "put \(key) \(old ?? 0) \(new)"
        case .deleted(let key, let last): "deleted \(key) \(last)"
        default: "other"
        }
      }
    }
    #expect(words(cache.replace(with: [item("b", 1), item("a", 2)])) == ["put a 0 2", "put b 0 1"])
    #expect(words(cache.replace(with: [item("b", 3), item("c", 4), item("a", 2)])) == ["put b 1 3", "put c 0 4"])
    #expect(words(cache.replace(with: [item("c", 4)])) == ["deleted a 2", "deleted b 3"])
    #expect(cache.put(ObjectKey(name: "c"), item("c", 4).entry) == nil, "a version that is known is no news")
    #expect(cache.delete(ObjectKey(name: "x")) == nil)
  }

  @Test func whatIsLaidOutAnewStaysWithItsKeyAndVersion() {
    var cache = InformerCache<String>()
    for number in 0..<100 {
      _ = cache.put(ObjectKey(name: "\(number)"), .init(resourceVersion: "v\(number)", object: "of \(number)"))
    }
    cache.remake { objects in objects.map { $0 + ", anew" } }
    #expect(cache.entries.count == 100)
    for number in 0..<100 {
      let entry = cache.entries[ObjectKey(name: "\(number)")]
      #expect(entry?.object == "of \(number), anew" && entry?.resourceVersion == "v\(number)")
    }
  }
}
