import Processes
public import EventLoop

/// Several Regions on this machine, each with an API server of its own, and kubeconfigs for them all.
public final class LocalCluster: Sendable {
  public struct Settings: Sendable {
    /// Each Region has a folder of its name in it; the merged `kubeconfig` is there too.
    public var folder: String
    public var regions: [String]
    /// The first Region's server listens here, the next on the one after it; 0 takes any free ports.
    public var firstPort: UInt16 = 0
    /// Pods of the first Region have addresses 127.x.y.z with this x, those of the next one with the number after it.
    public var firstNetwork: UInt8 = 64
    public var program = "/proc/self/exe"
    public var runsControllers = true
    public var backoff: (first: Int64, longest: Int64) = (1000, 60_000)

    public init(folder: String, regions: [String]) {
      self.folder = folder
      self.regions = regions
    }
  }
  public let settings: Settings
  public let regions: [LocalRegion]

  public init(_ settings: Settings) {
    self.settings = settings
    regions = settings.regions.enumerated().map { place, name in
      var region = LocalRegion.Settings(name: name, folder: "\(settings.folder)/\(name)")
      region.port = settings.firstPort == 0 ? 0 : settings.firstPort + UInt16(clamping: place)
      region.network = UInt8(clamping: Int(settings.firstNetwork) + place)
      region.program = settings.program
      region.runsControllers = settings.runsControllers
      region.backoff = settings.backoff
      return LocalRegion(region)
    }
  }

  public subscript(name: String) -> LocalRegion? { regions.first { $0.name == name } }
  /// With a context for each Region, under its name.
  public var kubeconfigPath: String { settings.folder + "/kubeconfig" }

  /// Starts every Region and writes the kubeconfigs.
  public func start() throws(SystemError) {
    File.makeFolder(settings.folder)
    for region in regions { try region.start() }
    LocalKubeconfig.write(
      regions.map { .init(name: $0.name, url: $0.url, token: "people") }, to: kubeconfigPath)
  }

  public func stop() { for region in regions { region.stop() } }

  /// Nobody outside of the Region reaches its server, and its own processes, which call with the token of
  /// `inside.kubeconfig`, reach no other's. Connections between brokers are not touched.
  public func cut(_ name: String) { setCut(name, true) }
  public func heal(_ name: String) { setCut(name, false) }

  private func setCut(_ name: String, _ isCut: Bool) {
    for region in regions {
      if region.name == name { region.server?.setCut(isCut) } else { region.server?.setRefused(name, isCut) }
    }
  }
}
