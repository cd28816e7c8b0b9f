import JSONValue
import KubernetesAPI

/// The defaults that clients rely on of the kinds that every server has.
enum BuiltInDefaults {
  static func fill(_ object: inout JSON, _ name: ResourceName) {
    switch name {
    case .namespaces:
      put(&object["status"], "phase", "Active")
      if object["spec"]["finalizers"].isNull { object["spec"]["finalizers"] = ["kubernetes"] }
      object["metadata"]["labels"]["kubernetes.io/metadata.name"] = JSON(object.name)
    case .secrets:
      put(&object, "type", "Opaque")
      encodeTexts(&object)
    case .services: service(&object["spec"])
    case .claims:
      put(&object["spec"], "volumeMode", "Filesystem")
      put(&object["status"], "phase", "Pending")
    case .pods:
      podSpec(&object["spec"])
      put(&object["status"], "phase", "Pending")
      put(&object["status"], "qosClass", "BestEffort")
    case .statefulSets: statefulSet(&object["spec"])
    default: break
    }
  }

  private static func put(_ object: inout JSON, _ key: String, _ value: JSON) {
    if object[key].isNull { object[key] = value }
  }

  private static func encodeTexts(_ secret: inout JSON) {
    guard let texts = secret["stringData"].texts else { return }
    secret.remove("stringData")
    for text in texts { secret["data"][text.key] = JSON(Base64.encode(Array(text.value.utf8))) }
  }

  private static func service(_ spec: inout JSON) {
    put(&spec, "type", "ClusterIP")
    put(&spec, "sessionAffinity", "None")
    // Nothing routes here, so that no Service gets an address.
    put(&spec, "internalTrafficPolicy", "Cluster")
    guard let ports = spec["ports"].array else { return }
    spec["ports"] = .array(
      ports.map { port in
        var port = port
        put(&port, "protocol", "TCP")
        put(&port, "targetPort", port["port"])
        return port
      })
  }

  private static func statefulSet(_ spec: inout JSON) {
    put(&spec, "replicas", 1)
    put(&spec, "podManagementPolicy", "OrderedReady")
    put(&spec, "revisionHistoryLimit", 10)
    put(&spec["updateStrategy"], "type", "RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate" {
      put(&spec["updateStrategy"]["rollingUpdate"], "partition", 0)
    }
    podSpec(&spec["template"]["spec"])
    guard let claims = spec["volumeClaimTemplates"].array else { return }
    spec["volumeClaimTemplates"] = .array(
      claims.map { claim in
        var claim = claim
        put(&claim, "apiVersion", "v1")
        put(&claim, "kind", "PersistentVolumeClaim")
        put(&claim["spec"], "volumeMode", "Filesystem")
        put(&claim["status"], "phase", "Pending")
        return claim
      })
  }

  static func podSpec(_ spec: inout JSON) {
    put(&spec, "restartPolicy", "Always")
    put(&spec, "terminationGracePeriodSeconds", 30)
    put(&spec, "dnsPolicy", "ClusterFirst")
    put(&spec, "schedulerName", "default-scheduler")
    if spec["securityContext"].isNull { spec["securityContext"] = [:] }
    if let volumes = spec["volumes"].array {
      spec["volumes"] = .array(
        volumes.map { volume in
          var volume = volume
          for kind in ["configMap", "secret"] where volume[kind].object != nil {
            put(&volume[kind], "defaultMode", 420)
          }
          return volume
        })
    }
    for list in ["containers", "initContainers"] {
      guard let containers = spec[list].array else { continue }
      spec[list] = .array(containers.map(container))
    }
  }

  private static func container(_ container: JSON) -> JSON {
    var container = container
    put(&container, "imagePullPolicy", "IfNotPresent")
    put(&container, "terminationMessagePath", "/dev/termination-log")
    put(&container, "terminationMessagePolicy", "File")
    if container["resources"].isNull { container["resources"] = [:] }
    if let ports = container["ports"].array {
      container["ports"] = .array(
        ports.map { port in
          var port = port
          put(&port, "protocol", "TCP")
          return port
        })
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] where container[probe].object != nil {
      put(&container[probe], "timeoutSeconds", 1)
      put(&container[probe], "periodSeconds", 10)
      put(&container[probe], "successThreshold", 1)
      put(&container[probe], "failureThreshold", 3)
      if container[probe]["httpGet"].object != nil { put(&container[probe]["httpGet"], "scheme", "HTTP") }
    }
    guard let variables = container["env"].array else { return container }
    container["env"] = .array(
      variables.map { variable in
        var variable = variable
        if variable["valueFrom"]["fieldRef"].object != nil {
          put(&variable["valueFrom"]["fieldRef"], "apiVersion", "v1")
        }
        return variable
      })
    return container
  }
}

/// The checks of built-in kinds that an operator runs into.
enum BuiltInChecks {
  static func causes(_ object: JSON, _ current: JSON, _ name: ResourceName) -> [APIFailure.Cause] {
    switch name {
    case .statefulSets: statefulSet(object, current)
    case .pods: pod(object, current)
    case .services:
      object["spec"]["ports"].elements.enumerated().compactMap { place, port in
        (1...65535).contains(port["port"].int ?? 0)
          ? nil
          : .init(
            reason: "FieldValueInvalid",
            message: "Invalid value: \(port["port"].text()): must be between 1 and 65535, inclusive",
            field: "spec.ports[\(place)].port")
      }
    case .claims: claim(object, current)
    case .configMaps, .secrets: immutable(object, current)
    case .definitions: definition(object)
    default: []
    }
  }

  private static func required(_ field: String) -> APIFailure.Cause {
    APIFailure.Cause(reason: "FieldValueRequired", message: "Required value", field: field)
  }

  private static func forbidden(_ field: String, _ words: String) -> APIFailure.Cause {
    APIFailure.Cause(reason: "FieldValueForbidden", message: "Forbidden: \(words)", field: field)
  }

  private static func statefulSet(_ object: JSON, _ current: JSON) -> [APIFailure.Cause] {
    let spec = object["spec"]
    var causes: [APIFailure.Cause] = []
    if spec["selector"].isNull { causes.append(required("spec.selector")) }
    if spec["template"]["spec"]["containers"].elements.isEmpty {
      causes.append(required("spec.template.spec.containers"))
    }
    if !LabelSelector(object: spec["selector"]).matches(spec["template"]["metadata"]["labels"]) {
      causes.append(
        APIFailure.Cause(
          reason: "FieldValueInvalid",
          message: "Invalid value: \(spec["template"]["metadata"]["labels"].text()): "
            + "`selector` does not match template `labels`", field: "spec.template.metadata.labels"))
    }
    guard !current.isNull else { return causes }
    let changeable: Set<String> = [
      "replicas", "template", "updateStrategy", "minReadySeconds", "persistentVolumeClaimRetentionPolicy", "ordinals",
      "revisionHistoryLimit",
    ]
    let old = current["spec"].members.filter { !changeable.contains($0.key) }
    if old != spec.members.filter({ !changeable.contains($0.key) }) {
      causes.append(
        forbidden(
          "spec",
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            + "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"))
    }
    return causes
  }

  private static func pod(_ object: JSON, _ current: JSON) -> [APIFailure.Cause] {
    if object["spec"]["containers"].elements.isEmpty { return [required("spec.containers")] }
    guard !current.isNull else { return [] }
    func fixed(_ pod: JSON) -> JSON {
      var spec = pod["spec"]
      for field in ["tolerations", "activeDeadlineSeconds", "nodeName", "terminationGracePeriodSeconds"] {
        spec.remove(field)
      }
      spec["containers"] = .array(
        spec["containers"].elements.map {
          var container = $0
          container.remove("image")
          return container
        })
      return spec
    }
    return fixed(object) == fixed(current)
      ? []
      : [forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image` and tolerations")]
  }

  private static func claim(_ object: JSON, _ current: JSON) -> [APIFailure.Cause] {
    guard !current.isNull else { return [] }
    func fixed(_ claim: JSON) -> JSON {
      var spec = claim["spec"]
      spec.remove("resources")
      spec.remove("volumeName")
      return spec
    }
    var causes: [APIFailure.Cause] = []
    if fixed(object) != fixed(current) {
      causes.append(
        forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName"))
    }
    let path = ["spec", "resources", "requests", "storage"]
    if let new = quantity(object.at(path)), let old = quantity(current.at(path)), new < old {
      causes.append(forbidden("spec.resources.requests.storage", "field can not be less than previous value"))
    }
    return causes
  }

  private static func immutable(_ object: JSON, _ current: JSON) -> [APIFailure.Cause] {
    guard current["immutable"] == true, object["data"] != current["data"] else { return [] }
    return [forbidden("data", "field is immutable when `immutable` is set")]
  }

  private static func definition(_ object: JSON) -> [APIFailure.Cause] {
    let spec = object["spec"]
    var causes: [APIFailure.Cause] = []
    for field in ["group", "scope"] where spec[field].string == nil { causes.append(required("spec.\(field)")) }
    for field in ["plural", "kind"] where spec["names"][field].string == nil {
      causes.append(required("spec.names.\(field)"))
    }
    if spec["versions"].elements.isEmpty { causes.append(required("spec.versions")) }
    let name = "\(spec["names"]["plural"].string ?? "").\(spec["group"].string ?? "")"
    if causes.isEmpty && object.name != name {
      causes.append(
        APIFailure.Cause(
          reason: "FieldValueInvalid",
          message: "Invalid value: \(JSON(object.name).text()): must be spec.names.plural+\".\"+spec.group",
          field: "metadata.name"))
    }
    for (place, version) in spec["versions"].elements.enumerated()
    where version["schema"]["openAPIV3Schema"].object == nil {
      causes.append(required("spec.versions[\(place)].schema.openAPIV3Schema"))
    }
    return causes
  }
}

/// A quantity such as `10Gi` as a number; nil for what is none.
func quantity(_ value: JSON) -> Double? {
  if let number = value.double { return number }
  guard let text = value.string else { return nil }
  let digits = text.prefix { $0.isNumber || $0 == "." || $0 == "-" }
  let units: [Substring: Double] = [
    "": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "Ki": 1024, "Mi": 1_048_576,
    "Gi": 1_073_741_824, "Ti": 1_099_511_627_776, "Pi": 1_125_899_906_842_624,
  ]
  guard let number = Double(digits), let unit = units[text[digits.endIndex...]] else { return nil }
  return number * unit
}
