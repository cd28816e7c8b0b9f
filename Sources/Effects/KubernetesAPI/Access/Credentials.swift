import EventLoop
import Vocabulary

/// What a request carries to show who we are, as of now.
struct Access: Sendable {
  var token: String?
  var security = TransferSecurity()
}

/// Keeps what a target says ready: reads files again when they may have been renewed, asks programs when what they
/// said expires. An actor, so that several requests that find nothing ready ask once.
actor Credentials {
  enum Limits {
    /// Files are read again after so long. The kubelet renews a token long before it expires.
    static let filesFreshFor = TimeSpan.seconds(30)
    /// What a program gave is renewed so long before it expires.
    static let renewBefore = TimeSpan.seconds(30)
    /// A program that failed is not run again before that.
    static let pauseAfterFailure = TimeSpan.seconds(5)
  }
  private let target: ServerTarget
  private let now: @Sendable () -> Instant
  private let wallNow: @Sendable () -> Timestamp
  private var access: (value: Access, until: Instant)?
  private var refusal: (error: KubeconfigError, until: Instant)?
  private var asking: Task<Result<ExecCredential, KubeconfigError>, Never>?

  init(
    _ target: ServerTarget, now: @escaping @Sendable () -> Instant = monotonicNow,
    wallNow: @escaping @Sendable () -> Timestamp = wallClockNow
  ) {
    self.target = target
    self.now = now
    self.wallNow = wallNow
  }

  /// The server did not know us: what is cached is not asked for again.
  func forget() { access = nil }

  func current() async throws(KubeconfigError) -> Access {
    if let access, now() < access.until { return access.value }
    var fresh = Access()
    var until = now() + Limits.filesFreshFor
    fresh.security.isVerified = target.isVerified
    fresh.security.serverName = target.serverName
    fresh.security.authorities = try target.authorities.map { (bytes) throws(KubeconfigError) in try read(bytes) }
    if let pair = target.certificate {
      fresh.security.certificate = try read(pair.certificate)
      fresh.security.key = try read(pair.key)
    }
    switch target.token {
    case .none: break
    case .fixed(let token): fresh.token = token
    case .file(let path): fresh.token = try token(in: path)
    case .exec(let plugin):
      let credential = try await ask(plugin)
      fresh.token = credential.token
      if let certificate = credential.certificate, let key = credential.key {
        fresh.security.certificate = Array(certificate.utf8)
        fresh.security.key = Array(key.utf8)
      }
      until = expiry(of: credential)
    }
    access = (fresh, until)
    return fresh
  }

  private func expiry(of credential: ExecCredential) -> Instant {
    guard let expires = credential.expires else { return .never }
    let left = TimeSpan.milliseconds(expires.milliseconds - wallNow().milliseconds)
    return now() + TimeSpan(nanoseconds: max(0, left.nanoseconds - Limits.renewBefore.nanoseconds))
  }

  private func read(_ bytes: ServerTarget.Bytes) throws(KubeconfigError) -> [UInt8] {
    switch bytes {
    case .data(let data): return data
    case .file(let path):
      do { return try SmallFile.read(path) } catch { throw KubeconfigError("\(target.origin): \(error)") }
    }
  }

  private func token(in path: String) throws(KubeconfigError) -> String {
    let bytes = try read(.file(path))
    let token = String(decoding: bytes.filter { $0 != 0x0A && $0 != 0x0D && $0 != 0x20 }, as: UTF8.self)
    guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw KubeconfigError("\(target.origin): \(path) holds no token")
    }
    return token
  }

  private func ask(_ plugin: ExecPlugin) async throws(KubeconfigError) -> ExecCredential {
    if let refusal, now() < refusal.until { throw refusal.error }
    if asking == nil { asking = Task { [target] in await plugin.run(for: target) } }
    guard let running = asking else { throw KubeconfigError("\(target.origin): no program was started") }
    let result = await running.value
    asking = nil
    if case .failure(let error) = result { refusal = (error, now() + Limits.pauseAfterFailure) }
    return try result.get()
  }
}
