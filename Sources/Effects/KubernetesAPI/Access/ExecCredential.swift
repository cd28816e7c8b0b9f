import EventLoop
import Glibc
import JSONValue
import Vocabulary

/// What a credential program printed.
struct ExecCredential: Sendable, Hashable {
  var token: String?
  /// PEM, both or none.
  var certificate: String?
  var key: String?
  var expires: Timestamp?

  /// Reads an ExecCredential object. The message says what is wrong with it.
  init(parsing bytes: [UInt8], apiVersion: String) throws(KubeconfigError) {
    let value: JSON
    do { value = try JSON(parsing: bytes) } catch { throw KubeconfigError("what it printed is no JSON: \(error)") }
    guard value["kind"].string == "ExecCredential", value["apiVersion"].string == apiVersion else {
      throw KubeconfigError(
        "it printed \(value["kind"].text()) of \(value["apiVersion"].text()), and has to print ExecCredential of \(apiVersion)"
      )
    }
    let status = value["status"]
    token = status["token"].string
    certificate = status["clientCertificateData"].string
    key = status["clientKeyData"].string
    guard (certificate == nil) == (key == nil) else { throw KubeconfigError("it printed a certificate or a key alone") }
    guard token != nil || certificate != nil else {
      throw KubeconfigError("it printed neither a token nor a certificate")
    }
    guard token?.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) != false else {
      throw KubeconfigError("it printed a token with characters that no token has")
    }
    if let text = status["expirationTimestamp"].string {
      guard let time = KubernetesTime.parse(text) else {
        throw KubeconfigError("it printed the expirationTimestamp \(text), which is no time")
      }
      expires = time
    }
  }
}

extension ExecPlugin {
  /// A program that takes longer is ended.
  static let patience = TimeSpan.seconds(60)

  /// Runs the program on a thread of its own.
  func run(for target: ServerTarget) async -> Result<ExecCredential, KubeconfigError> {
    await withCheckedContinuation { continuation in
      do {
        try startDetachedThread(name: "credentials") {
          continuation.resume(returning: Result { () throws(KubeconfigError) in try runBlocking(for: target) })
        }
      } catch { continuation.resume(returning: .failure(KubeconfigError("\(target.origin): \(error)"))) }
    }
  }

  private func runBlocking(for target: ServerTarget) throws(KubeconfigError) -> ExecCredential {
    let whole = "\(target.origin): the credential program \(command)"
    let variables = environment.map { ($0.name, $0.value) } + [("KUBERNETES_EXEC_INFO", info(for: target).text())]
    let ended: EndedProgram
    do {
      ended = try EndedProgram(command, arguments: arguments, environment: variables, patience: Self.patience)
    } catch {
      let hint = installHint.map { "; \($0)" } ?? ""
      throw KubeconfigError("\(whole) could not be run: \(error.explanation)\(hint)")
    }
    switch ended.ending {
    case .patienceEnded: throw KubeconfigError("\(whole) did not end within \(Self.patience.milliseconds / 1000) s")
    case .signal(let signal): throw KubeconfigError("\(whole) was ended by signal \(signal)")
    case .status(let status) where status != 0:
      let words = String(decoding: ended.errorOutput.prefix(500), as: UTF8.self).split(separator: "\n").joined(
        separator: " ")
      throw KubeconfigError("\(whole) ended with status \(status): \(words.isEmpty ? "it said nothing" : words)")
    case .status: break
    }
    do { return try ExecCredential(parsing: ended.output, apiVersion: apiVersion) } catch {
      throw KubeconfigError("\(whole): \(error)")
    }
  }

  private func info(for target: ServerTarget) -> JSON {
    var spec: JSON = ["interactive": false]
    if wantsClusterInfo {
      spec["cluster"]["server"] = JSON(target.url)
      if let name = target.serverName { spec["cluster"]["tls-server-name"] = JSON(name) }
      if !target.isVerified { spec["cluster"]["insecure-skip-tls-verify"] = true }
      if let proxy = target.proxy { spec["cluster"]["proxy-url"] = JSON(proxy) }
      let authorities: [UInt8]? =
        switch target.authorities {
        case .data(let bytes): bytes
        case .file(let path): try? SmallFile.read(path)
        case nil: nil
        }
      if let authorities { spec["cluster"]["certificate-authority-data"] = JSON(Base64.encode(authorities)) }
    }
    return ["apiVersion": JSON(apiVersion), "kind": "ExecCredential", "spec": spec]
  }
}
