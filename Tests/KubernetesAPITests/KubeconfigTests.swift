import Glibc
import JSONValue
import Synchronization
import Testing
import Vocabulary

@testable import KubernetesAPI

@Suite struct KubeconfigTests {
  let whole = """
    apiVersion: v1
    kind: Config
    current-context: east
    clusters:
    - name: c
      cluster:
        server: https://10.0.0.1:6443/
        certificate-authority-data: Zm9v
        tls-server-name: kubernetes
        proxy-url: socks5://localhost:1080
    - name: open
      cluster: {server: "http://localhost:8001", insecure-skip-tls-verify: true}
    users:
    - {name: u, user: {client-certificate-data: YQ==, client-key: keys/u.key, token: abc}}
    - {name: f, user: {tokenFile: token, token: ignored}}
    - name: e
      user:
        exec:
          apiVersion: client.authentication.k8s.io/v1
          command: ./bin/login
          args: [--region, eu]
          env: [{name: PROFILE, value: prod}]
          provideClusterInfo: true
    contexts:
    - {name: east, context: {cluster: c, user: u, namespace: kafka}}
    - {name: file, context: {cluster: c, user: f}}
    - {name: exec, context: {cluster: c, user: e}}
    - {name: open, context: {cluster: open}}
    """

  func read(_ text: String, trust: Kubeconfig.Trust = .own) throws(KubeconfigError) -> Kubeconfig {
    try Kubeconfig(text: text, file: "/etc/kube/config", trust: trust)
  }

  @Test func aContextSaysWhereAndWho() throws {
    let config = try read(whole)
    #expect(config.contextNames == ["east", "exec", "file", "open"])
    let target = try config.target()
    #expect(target.url == "https://10.0.0.1:6443")
    #expect(target.authorities == .data(Array("foo".utf8)))
    #expect(
      target.serverName == "kubernetes" && target.proxy == "socks5://localhost:1080" && target.namespace == "kafka")
    #expect(target.certificate == .init(certificate: .data([0x61]), key: .file("/etc/kube/keys/u.key")))
    #expect(target.token == .fixed("abc"))
    #expect(try config.target(context: "file").token == .file("/etc/kube/token"))
    let open = try config.target(context: "open")
    #expect(!open.isVerified && open.token == .none)
    guard case .exec(let plugin) = try config.target(context: "exec").token else {
      Issue.record("it is no program")
      return
    }
    #expect(plugin.command == "/etc/kube/./bin/login" && plugin.arguments == ["--region", "eu"])
    #expect(plugin.environment == [.init(name: "PROFILE", value: "prod")] && plugin.wantsClusterInfo)
  }

  @Test(
    arguments: [
      ("[", "/etc/kube/config, line 2, column 1: "), ("kind: Pod", "/etc/kube/config is a Pod"),
      ("a", "/etc/kube/config is a string"),
      ("clusters: 1", "/etc/kube/config: clusters is an integer, and has to be an array"),
      ("users: [{user: {}}]", "/etc/kube/config: users[0] has no name"),
      ("{}", "/etc/kube/config has no current-context, so a context has to be named: none at all"),
      ("current-context: x", "/etc/kube/config has no context x, but none at all"),
      ("{current-context: x, contexts: [{name: x, context: {}}]}", "context x of /etc/kube/config names no cluster"),
      (
        "{current-context: x, contexts: [{name: x, context: {cluster: 7}}], clusters: [{name: z}]}",
        "context x of /etc/kube/config names the cluster 7, and there is none, but z"
      ),
      (
        "{current-context: x, contexts: [{name: x, context: {cluster: z}}], clusters: [{name: z}]}",
        "the cluster of context x of /etc/kube/config has no server"
      ),
      (
        "{current-context: x, contexts: [{name: x, context: {cluster: z}}], clusters: [{name: z, cluster: {server: \"host\"}}]}",
        "the server of context x of /etc/kube/config is host, and has to be like https://host:port"
      ),
    ])
  func aMistakeIsOneSentenceThatNamesFileAndContext(text: String, sentence: String) {
    let error = #expect(throws: KubeconfigError.self) { try read(text).target() }
    #expect(error?.description.hasPrefix(sentence) == true, "\(String(describing: error))")
  }

  @Test(
    arguments: [
      (
        "cluster", "certificate-authority-data: '!'",
        "certificate-authority-data of the cluster of context x of /etc/kube/config is not base64"
      ),
      (
        "cluster", "insecure-skip-tls-verify: true, certificate-authority: a",
        "the cluster of context x of /etc/kube/config has both"
      ),
      ("cluster", "proxy-url: ftp://x", "the proxy-url of context x of /etc/kube/config is ftp://x"),
      (
        "user", "client-key: a",
        "the user u of context x of /etc/kube/config has a client-key and no client-certificate"
      ),
      (
        "user", "client-certificate: a",
        "the user u of context x of /etc/kube/config has a client-certificate and no client-key"
      ),
      ("user", "token: \"a\\nb\"", "the token of the user u of context x of /etc/kube/config has characters"),
      ("user", "username: a", "the user u of context x of /etc/kube/config uses username"),
      ("user", "auth-provider: {name: gcp}", "the user u of context x of /etc/kube/config uses auth-provider"),
      ("user", "as: root", "the user u of context x of /etc/kube/config acts as root"),
      (
        "user", "exec: {apiVersion: client.authentication.k8s.io/v1}",
        "exec of the user u of context x of /etc/kube/config has no command"
      ),
      (
        "user", "exec: {command: a, apiVersion: client.authentication.k8s.io/v1alpha1}",
        "exec of the user u of context x of /etc/kube/config has the apiVersion"
      ),
      (
        "user", "exec: {command: a, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}",
        "exec of the user u of context x of /etc/kube/config has the interactiveMode Always"
      ),
    ])
  func aMistakeOfAClusterOrUserIsOneSentence(part: String, fields: String, sentence: String) {
    let text = """
      current-context: x
      contexts: [{name: x, context: {cluster: c, user: u}}]
      clusters: [{name: c, cluster: {server: "https://a"\(part == "cluster" ? ", " + fields : "")}}]
      users: [{name: u, user: {\(part == "user" ? fields : "")}}]
      """
    let error = #expect(throws: KubeconfigError.self) { try read(text).target() }
    #expect(error?.description.hasPrefix(sentence) == true, "\(String(describing: error))")
  }

  @Test(arguments: [
    "tokenFile: /etc/passwd", "client-certificate: a, client-key-data: YQ==",
    "exec: {command: sh, apiVersion: client.authentication.k8s.io/v1}",
  ])
  func aKubeconfigThatOthersCanWriteReadsNoFilesAndRunsNothing(fields: String) throws {
    let text = """
      current-context: x
      contexts: [{name: x, context: {cluster: c, user: u}}]
      clusters: [{name: c, cluster: {server: "https://a"}}]
      users: [{name: u, user: {\(fields)}}]
      """
    _ = try read(text).target()
    #expect(throws: KubeconfigError.self) { try read(text, trust: .dataOnly).target() }
  }

  @Test func ofSeveralFilesTheFirstOneCounts() throws {
    let folder = try Folder()
    let one = try folder.write("one", "{current-context: x, contexts: [{name: x, context: {cluster: c}}]}")
    let two = try folder.write(
      "two",
      "{current-context: y, contexts: [{name: x, context: {cluster: d}}], clusters: [{name: c, cluster: {server: \"https://a\"}}]}"
    )
    let config = try Kubeconfig(environment: ["KUBECONFIG": "\(folder.path)/missing:\(one):\(two)"])
    #expect(config.files == [one, two])
    #expect(try config.target().url == "https://a")
    let missing = #expect(throws: KubeconfigError.self) { try Kubeconfig(environment: ["HOME": folder.path]) }
    #expect(missing?.description == "there is no kubeconfig: \(folder.path)/.kube/config does not exist")
  }

  @Test func aPodFindsItsOwnServer() throws {
    let folder = try Folder()
    _ = try folder.write("token", "abc\n")
    _ = try folder.write("namespace", "kafka\n")
    let here = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]
    let target = try ServerTarget.inCluster(environment: here, folder: folder.path)
    #expect(target.url == "https://[fd00::1]:443" && target.namespace == "kafka")
    #expect(target.token == .file(folder.path + "/token"))
    #expect(throws: KubeconfigError.self) { try ServerTarget.inCluster(environment: [:], folder: folder.path) }
    #expect(throws: KubeconfigError.self) { try ServerTarget.inCluster(environment: here, folder: "/nowhere") }
  }
}

@Suite struct CredentialTests {
  @Test func aTokenThatWasRenewedIsReadAgainWhenTheServerRefusesTheOldOne() async throws {
    let folder = try Folder()
    let path = try folder.write("token", "old\n")
    let server = try ScriptedServer { request, _ in
      request.headers["authorization"] == "Bearer new"
        ? .answer(200, [:]) : .answer(401, Said.status(401, "Unauthorized"))
    }
    let client = try server.client { $0.token = .file(path) }
    await #expect(throws: APIError.self) { try await client.get(Said.pods, ObjectKey(name: "a")) }
    #expect(server.requests.map { $0.headers["authorization"] } == ["Bearer old", "Bearer old"])
    _ = try folder.write("token", "new\n")
    _ = try await client.get(Said.pods, ObjectKey(name: "a"))
  }

  @Test func aProgramIsAskedOnceUntilWhatItSaidExpires() async throws {
    let folder = try Folder()
    let clock = Mutex<Int64>(0)
    let path = try folder.program(
      """
      echo x >> "$(dirname "$0")/runs"
      echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t'"$NUMBER"'",'
      echo '"expirationTimestamp":"1970-01-01T01:00:00Z"}}'
      """)
    var plugin = ExecPlugin(command: path, apiVersion: "client.authentication.k8s.io/v1")
    plugin.environment = [.init(name: "NUMBER", value: "7")]
    var target = ServerTarget(origin: "the test", url: "https://a")
    target.token = .exec(plugin)
    let credentials = Credentials(
      target, now: { Instant(nanoseconds: clock.withLock { $0 } * 1_000_000) },
      wallNow: { Timestamp(milliseconds: clock.withLock { $0 }) })
    async let one = credentials.current()
    async let two = credentials.current()
    #expect(try await [one.token, two.token] == ["t7", "t7"])
    clock.withLock { $0 = 3_569_000 }
    _ = try await credentials.current()
    #expect(try folder.read("runs") == "x\n")
    clock.withLock { $0 = 3_570_000 }
    _ = try await credentials.current()
    #expect(try folder.read("runs") == "x\nx\n")
  }

  @Test(
    arguments: [
      ("echo no >&2; exit 3", "ended with status 3: no"), ("kill -9 $$", "was ended by signal 9"),
      ("echo x", "what it printed is no JSON"),
      ("echo '{}'", "has to print ExecCredential of client.authentication.k8s.io/v1"),
      (
        "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}'",
        "it printed neither a token nor a certificate"
      ),
    ])
  func aProgramThatFailsIsNamedWithItsWords(script: String, words: String) async throws {
    let folder = try Folder()
    let path = try folder.program(script)
    var target = ServerTarget(origin: "context x of y", url: "https://a")
    target.token = .exec(ExecPlugin(command: path, apiVersion: "client.authentication.k8s.io/v1"))
    let credentials = Credentials(target)
    let error = await #expect(throws: KubeconfigError.self) { try await credentials.current() }
    #expect(error?.description.hasPrefix("context x of y: the credential program \(path)") == true)
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
  }

  @Test func aProgramThatIsNotThereComesWithItsHint() async throws {
    var target = ServerTarget(origin: "context x of y", url: "https://a")
    var plugin = ExecPlugin(command: "no-such-program-anywhere", apiVersion: "client.authentication.k8s.io/v1")
    plugin.installHint = "install it from here"
    target.token = .exec(plugin)
    let credentials = Credentials(target)
    let error = await #expect(throws: KubeconfigError.self) { try await credentials.current() }
    #expect(
      error?.description
        == "context x of y: the credential program no-such-program-anywhere could not be run: No such file or directory; install it from here"
    )
  }
}

/// A folder that goes away with the test.
final class Folder {
  let path: String

  init() throws {
    var template = Array("/tmp/swiftwater-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Trouble.code(errno) }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
  deinit {
    guard let entries = opendir(path) else { return }
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      unlink(path + "/" + name)
    }
    closedir(entries)
    rmdir(path)
  }
  enum Trouble: Error { case code(Int32) }

  func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
    let file = path + "/" + name
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw Trouble.code(errno) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Trouble.code(errno) }
    return file
  }
  func program(_ script: String) throws -> String { try write("program", "#!/bin/sh\n\(script)\n", mode: 0o700) }
  func read(_ name: String) throws -> String { String(decoding: try SmallFile.read(path + "/" + name), as: UTF8.self) }
}
