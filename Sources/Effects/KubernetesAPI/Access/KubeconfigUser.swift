import JSONValue

extension JSON {
  /// Text, or a number or boolean as it is written: without quotation marks, a context called 7 would be a number. So
  /// does kubectl.
  var scalarText: String? {
    switch self {
    case .string(let text): text
    case .bool, .integer, .number: text()
    case .null, .array, .object: nil
    }
  }
}

/// Reads what may be given as bytes in base 64 or as the name of a file.
struct FieldReader {
  let value: JSON
  let file: String
  let trust: Kubeconfig.Trust
  /// Whose field it is, for messages.
  let owner: String

  /// `<name>-data` goes before `<name>`.
  func bytes(_ name: String) throws(KubeconfigError) -> ServerTarget.Bytes? {
    if let text = value[name + "-data"].scalarText, !text.isEmpty {
      guard let bytes = Base64.decode(text), !bytes.isEmpty else {
        throw KubeconfigError("\(name)-data of \(owner) is not base64")
      }
      return .data(bytes)
    }
    guard let path = value[name].scalarText, !path.isEmpty else { return nil }
    guard trust == .own else {
      throw KubeconfigError("\(owner) names the file \(path), which only this process could read: use \(name)-data")
    }
    return .file(absolute(path))
  }

  /// Relative paths begin at the kubeconfig's own folder.
  func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
    return file[...slash] + path
  }
}

struct UserReader {
  let entry: Kubeconfig.Entry
  let name: String
  let origin: String

  private var value: JSON { entry.value }
  private var owner: String { "the user \(name) of \(origin)" }
  private var fields: FieldReader {
    FieldReader(value: value, file: entry.file, trust: entry.trust, owner: owner)
  }

  func read(into target: inout ServerTarget) throws(KubeconfigError) {
    switch (try fields.bytes("client-certificate"), try fields.bytes("client-key")) {
    case (nil, nil): break
    case (let certificate?, let key?): target.certificate = .init(certificate: certificate, key: key)
    case (nil, _): throw KubeconfigError("\(owner) has a client-key and no client-certificate")
    case (_, nil): throw KubeconfigError("\(owner) has a client-certificate and no client-key")
    }
    for unknown in ["auth-provider", "username"] where !value[unknown].isNull {
      throw KubeconfigError(
        "\(owner) uses \(unknown), which Kubernetes has given up: use exec, a token or a certificate")
    }
    if let impersonated = value["as"].scalarText {
      throw KubeconfigError("\(owner) acts as \(impersonated), and impersonation is not spoken here")
    }
    target.token = try token()
  }

  private func token() throws(KubeconfigError) -> ServerTarget.Token {
    if !value["exec"].isNull { return .exec(try exec(value["exec"])) }
    // As with kubectl, a file goes before the token itself.
    if let path = value["tokenFile"].scalarText, !path.isEmpty {
      guard entry.trust == .own else {
        throw KubeconfigError("\(owner) names the tokenFile \(path), which only this process could read: use token")
      }
      return .file(fields.absolute(path))
    }
    guard let token = value["token"].scalarText, !token.isEmpty else { return .none }
    guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw KubeconfigError("the token of \(owner) has characters that no token has, such as a line break")
    }
    return .fixed(token)
  }

  private func exec(_ exec: JSON) throws(KubeconfigError) -> ExecPlugin {
    guard let command = exec["command"].scalarText, !command.isEmpty else {
      throw KubeconfigError("exec of \(owner) has no command")
    }
    guard entry.trust == .own else {
      throw KubeconfigError(
        "\(owner) wants to run \(command), which this kubeconfig may not: use a token or a certificate")
    }
    let group = "client.authentication.k8s.io/"
    guard let version = exec["apiVersion"].scalarText, ["v1", "v1beta1"].contains(where: { version == group + $0 })
    else {
      throw KubeconfigError(
        "exec of \(owner) has the apiVersion \(exec["apiVersion"].text()), and has to have \(group)v1 or v1beta1")
    }
    guard exec["interactiveMode"].string != "Always" else {
      throw KubeconfigError("exec of \(owner) has the interactiveMode Always, and nobody is here to answer \(command)")
    }
    let isPath = command.contains("/")
    var plugin = ExecPlugin(command: isPath ? fields.absolute(command) : command, apiVersion: version)
    if !exec["args"].isNull {
      guard let arguments = exec["args"].strings else {
        throw KubeconfigError("args of exec of \(owner) are no strings")
      }
      plugin.arguments = arguments
    }
    for variable in exec["env"].elements {
      guard let name = variable["name"].scalarText, let value = variable["value"].string else {
        throw KubeconfigError("env of exec of \(owner) has an entry without name and value")
      }
      plugin.environment.append(.init(name: name, value: value))
    }
    plugin.installHint = exec["installHint"].scalarText
    plugin.wantsClusterInfo = exec["provideClusterInfo"].bool == true
    return plugin
  }
}
