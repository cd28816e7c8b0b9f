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
    response.finalizedFeaturesEpoch = 0
    response.supportedFeatures = Features.all.map { name, level in
      var feature = ApiVersionsResponse.SupportedFeatureKey()
      feature.name = name
      // A minimum of 0 may only be sent from v4 on: older clients refuse it (KAFKA-17011).
      feature.minVersion = call.context.version >= 4 ? 0 : 1
      feature.maxVersion = level
      return feature
    }
    response.finalizedFeatures = Features.all.map { name, level in
      var feature = ApiVersionsResponse.FinalizedFeatureKey()
      feature.name = name
      feature.minVersionLevel = 1
      feature.maxVersionLevel = level
      return feature
    }
    call.answer(response)
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

/// Cluster features that are on, by their levels. `transaction.version` is left out until transactions work: clients
/// switch to KIP-890 when they see it.
enum Features {
  static let all: [(name: String, level: Int16)] = [("group.version", 1), ("metadata.version", 30)]
}
