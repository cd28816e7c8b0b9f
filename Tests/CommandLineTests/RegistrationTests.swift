import JSONValue
import KubernetesAPI
import KubernetesResources
import Testing
import YAML

@testable import CommandLine

@Suite struct RegistrationTests {
  private let registration = RegionRegistration(name: "east", namespace: "kafka")

  private func readBack(_ target: ServerTarget, authority: String? = nil) throws -> ServerTarget {
    let made = try registration.kubeconfig(target, url: "https://east:6443", token: "abc", authority: authority)
    // As operators read it: nothing of another machine may be named in it.
    return try Kubeconfig(text: made.yamlText(), file: "it", trust: .dataOnly).target()
  }

  @Test func theKubeconfigCarriesEverythingItself() throws {
    var target = ServerTarget(origin: "context east", url: "https://127.0.0.1:6443")
    target.authorities = .data([1, 2, 3])
    target.serverName = "kubernetes"
    target.proxy = "http://proxy:3128"
    target.token = .file("/of/this/machine/alone")
    let found = try readBack(target)
    #expect(found.url == "https://east:6443")
    #expect(found.token == .fixed("abc"))
    #expect(found.authorities == .data([1, 2, 3]))
    #expect(found.serverName == "kubernetes" && found.proxy == "http://proxy:3128")
    #expect(found.namespace == "kafka" && found.isVerified)
  }

  @Test func theAuthorityOfTheTokenIsTakenWhereTheContextNamesNone() throws {
    let target = ServerTarget(origin: "context east", url: "https://east:6443")
    #expect(try readBack(target, authority: "AQID").authorities == .data([1, 2, 3]))
    #expect(try readBack(target).authorities == nil)
    var unverified = target
    unverified.isVerified = false
    let found = try readBack(unverified, authority: "AQID")
    #expect(!found.isVerified && found.authorities == nil)
  }

  @Test func anAuthorityThatCannotBeReadIsSaid() {
    var target = ServerTarget(origin: "context east", url: "https://east:6443")
    target.authorities = .file("/no/such/file")
    let failure = #expect(throws: Failure.self) { _ = try readBack(target) }
    #expect(failure?.description == "context east: /no/such/file cannot be read")
  }

  @Test func theRegionIsOneThatTheSchemaAccepts() {
    var full = registration
    full.provider = "aws"
    full.sovereignty = ["EU"]
    full.network = "NodePort"
    let (region, mistakes) = Region.read(full.region)
    #expect(mistakes == [])
    #expect(region.spec.access?.kubeconfigSecret.name == "east-kubeconfig")
    #expect(region.spec.provider == "aws" && region.spec.network.type == .nodePort)
  }

  @Test func noRuleOfThePeerIsAboutSecrets() {
    var wide = registration
    wide.watchesAll = true
    wide.seesMachines = true
    for registration in [registration, wide] {
      let rules = registration.peer.flatMap { $0["rules"].elements }
      #expect(rules.count > 3)
      #expect(!rules.contains { $0["resources"].elements.contains("secrets") || $0["verbs"].elements.contains("*") })
    }
    #expect(wide.peer.map { $0["kind"].string }.contains("ClusterRoleBinding"))
    #expect(!registration.peer.map { $0["kind"].string }.contains("ClusterRole"))
  }
}
