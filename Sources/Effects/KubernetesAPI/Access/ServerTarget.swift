/// Where an API server is and how we show who we are: what a context of a kubeconfig says, checked.
public struct ServerTarget: Sendable, Hashable {
  /// Where these facts come from, for messages: `context admin of ~/.kube/config`.
  public var origin: String
  /// Without a slash at its end.
  public var url: String
  /// The namespace that the context names.
  public var namespace: String?
  public var authorities: Bytes?
  public var isVerified = true
  public var serverName: String?
  public var proxy: String?
  public var token: Token = .none
  public var certificate: Certificate?

  /// Bytes that the file itself holds, or a file that is read again from time to time, because they are renewed.
  public enum Bytes: Sendable, Hashable {
    case data([UInt8])
    case file(String)
  }
  public enum Token: Sendable, Hashable {
    case none
    case fixed(String)
    case file(String)
    case exec(ExecPlugin)
  }
  /// In PEM form.
  public struct Certificate: Sendable, Hashable {
    public var certificate: Bytes
    public var key: Bytes
    public init(certificate: Bytes, key: Bytes) {
      self.certificate = certificate
      self.key = key
    }
  }

  public init(origin: String, url: String) {
    self.origin = origin
    self.url = url
  }
}

/// A program that prints credentials (client.authentication.k8s.io, v1 and v1beta1).
public struct ExecPlugin: Sendable, Hashable {
  /// A name is looked for on the PATH; a path was made absolute.
  public var command: String
  public var arguments: [String] = []
  public var environment: [Variable] = []
  public var apiVersion: String
  /// What to tell people when the program is not there.
  public var installHint: String?
  public var wantsClusterInfo = false

  public struct Variable: Sendable, Hashable {
    public var name: String
    public var value: String
  }
}

/// What is wrong with a kubeconfig, in one sentence that names the file, the context, and what would be right.
public struct KubeconfigError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ sentence: String) { description = sentence }
}
