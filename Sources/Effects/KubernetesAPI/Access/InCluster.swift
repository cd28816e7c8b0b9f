import EventLoop

extension ServerTarget {
  /// The API server of the cluster that this process runs in, as the pod's service account. The token is read again
  /// from its file, because the kubelet renews it there.
  public static func inCluster(
    environment: [String: String], folder: String = "/var/run/secrets/kubernetes.io/serviceaccount"
  ) throws(KubeconfigError) -> ServerTarget {
    guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"],
      !host.isEmpty, !port.isEmpty
    else {
      throw KubeconfigError(
        "this process runs in no Kubernetes cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    }
    let url = "https://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    guard ServerAddress(url) != nil else {
      throw KubeconfigError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT make \(url), which is no address")
    }
    var target = ServerTarget(origin: "the service account of this pod", url: url)
    do { _ = try SmallFile.read(folder + "/token") } catch {
      throw KubeconfigError("this pod has no service account token: \(error)")
    }
    target.token = .file(folder + "/token")
    target.authorities = .file(folder + "/ca.crt")
    if let bytes = try? SmallFile.read(folder + "/namespace") {
      target.namespace = String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
    }
    return target
  }
}
