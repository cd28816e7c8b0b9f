import ClusterMetadata
import KafkaProtocol
import Vocabulary

extension Broker {
  /// UpdateFeatures, v0–2: sets what the cluster as a whole may use (KIP-584), all or none. From v2 on there is one answer for
  /// all (KIP-1022).
  func updateFeatures(_ call: Call<UpdateFeaturesRequest>) {
    let request = call.request
    let version = call.context.version
    let updates = request.featureUpdates.map { asked in
      let way: FeatureUpdate.Way? =
        version == 0 ? (asked.allowDowngrade ? .safeDowngrade : .upgrade) : .init(rawValue: asked.upgradeType)
      return FeatureUpdate(asked.feature, level: asked.maxVersionLevel, way)
    }
    change { draft -> Result<Void, Refusal> in
      let decision = draft.image.update(updates, supported: Features.all)
      return request.validateOnly ? decision.answer : draft.add(decision)
    } then: { result in
      var response = UpdateFeaturesResponse()
      response.errorMessage = nil
      switch result.flatMap({ $0 }) {
      case .failure(let refusal):
        response.errorCode = refusal.code
        response.errorMessage = refusal.message
      case .success:
        response.results = updates.map { update in
          var one = UpdateFeaturesResponse.Feature()
          one.feature = update.name
          one.errorMessage = nil
          return one
        }
      }
      call.answer(response)
    }
  }
}
