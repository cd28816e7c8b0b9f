import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// ApiVersions, v0–4: which requests this broker understands, straight from the table of routes.
  ///
  /// From v3 on the client names its software; a name that is not one gets INVALID_REQUEST (KIP-511).
  func apiVersions(_ call: Call<ApiVersionsRequest>) {
    guard
      call.context.version < 3
        || isSoftwareName(call.request.clientSoftwareName)
          && isSoftwareName(call.request.clientSoftwareVersion)
    else {
      var refused = ApiVersionsResponse()
      refused.errorCode = .invalidRequest
      return call.answer(refused)
    }
    var response = ApiVersionsResponse()
    response.apiKeys =
      (settings.controllerListeners.contains { $0.name == call.context.listener } ? Routes.controller : Routes.broker)
      .advertised
    response.finalizedFeaturesEpoch = max(0, publisher.offset.value)
    response.supportedFeatures = (Features.all + [Features.kraft]).map { support in
      var feature = ApiVersionsResponse.SupportedFeatureKey()
      feature.name = support.name
      // A minimum of 0 may only be sent from v4 on: older clients refuse it (KAFKA-17011).
      feature.minVersion = max(call.context.version >= 4 ? 0 : 1, support.levels.lowerBound)
      feature.maxVersion = support.levels.upperBound
      return feature
    }
    response.finalizedFeatures = finalizedFeatures.map { name, level in
      var feature = ApiVersionsResponse.FinalizedFeatureKey()
      feature.name = name
      feature.minVersionLevel = level
      feature.maxVersionLevel = level
      return feature
    }
    call.answer(response)
  }

  /// What is on, by name. `kraft.version` is the quorum's: 1 where voters come and go (KIP-853), and not told where it is 0.
  private var finalizedFeatures: [(String, Int16)] {
    var features = image.features.filter { $0.value > 0 }
    if case .found = settings.quorum { features[Features.kraft.name] = Features.kraft.levels.upperBound }
    return features.sorted { $0.key < $1.key }
  }

  /// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
  private func isSoftwareName(_ text: String) -> Bool {
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: false
      }
    }
    guard let first = text.utf8.first, let last = text.utf8.last, isAlphanumeric(first), isAlphanumeric(last) else {
      return false
    }
    return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
  }
}

/// Features of the cluster, with the levels that this version works at: new clusters have the highest. `transaction.version`
/// is left out until transactions work: clients switch to KIP-890 when they see it.
enum Features {
  static let all = [FeatureSupport("group.version", 1...1), FeatureSupport("metadata.version", 30...30)]
  /// Not in the metadata but in the quorum's own records: it is chosen when a folder is formatted.
  static let kraft = FeatureSupport("kraft.version", VoterRecords.kraftVersions)
}
