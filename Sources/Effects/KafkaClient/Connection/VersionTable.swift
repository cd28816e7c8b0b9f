import KafkaProtocol
import Vocabulary

/// Which requests one broker understands, in which versions.
struct VersionTable: Sendable, Equatable {
  private var ranges: [Int16: ClosedRange<Int16>] = [:]

  init(_ response: ApiVersionsResponse) {
    for api in response.apiKeys where api.minVersion <= api.maxVersion {
      ranges[api.apiKey] = api.minVersion...api.maxVersion
    }
  }

  func contains(_ key: APIKey) -> Bool { ranges[key.rawValue] != nil }

  /// The highest version that is in both ranges; nil when there is none.
  func highestCommon(_ key: APIKey, with ours: ClosedRange<Int16>) -> Int16? {
    guard let theirs = ranges[key.rawValue], theirs.overlaps(ours) else { return nil }
    return min(theirs.upperBound, ours.upperBound)
  }

  /// What to make of the answer to ApiVersions. A broker that does not know the version answers in version 0 with
  /// UNSUPPORTED_VERSION and says which it knows.
  enum Negotiation: Equatable {
    case agreed(VersionTable)
    case askAgain(version: Int16)
    case failed(String)
  }

  /// `body` is the answer without its header.
  static func read(_ body: UnsafeRawBufferPointer, version: Int16) -> Negotiation {
    if let response = try? ApiVersionsResponse.decode(body, version: version), response.errorCode == .none {
      return .agreed(VersionTable(response))
    }
    guard let response = try? ApiVersionsResponse.decode(body, version: 0) else {
      return .failed("the answer to ApiVersions cannot be read")
    }
    guard response.errorCode == .unsupportedVersion, version > 0 else {
      return .failed("ApiVersions: \(response.errorCode)")
    }
    let known = VersionTable(response).highestCommon(.apiVersions, with: ApiVersionsRequest.versions)
    return .askAgain(version: min(known ?? 0, version - 1))
  }
}
