import ClusterMetadata
import Vocabulary

extension Broker {
  /// What a mirror was asked for, and beside it, read-only, what this broker knows of how far it is.
  func mirrorConfigs(_ name: String, _ image: MetadataImage) -> Result<[ResolvedConfig], Refusal> {
    let own = image.configs(of: .mirror(name))
    guard !own.isEmpty else { return .failure(Refusal(.resourceNotFound, "There is no mirror '\(name)'.")) }
    return .success(
      MirrorConfigs.resolve(own) + mirrors.status(of: name).map { MirrorConfigs.status($0.key, $0.value) })
  }
}
