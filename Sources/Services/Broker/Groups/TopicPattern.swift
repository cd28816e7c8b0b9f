import CPCRE2

/// A regular expression over topic names, as consumer groups subscribe by (KIP-848): the whole name must match.
///
/// PCRE2 is told when to give up, so that a pattern made to run for ever costs little and matches nothing.
struct TopicPattern: ~Copyable {
  /// Longer patterns are refused.
  static let bytesMax = 4096
  private static let stepsMax: UInt32 = 20_000

  private let code: OpaquePointer
  private let limits: OpaquePointer
  private let match: OpaquePointer

  /// Nil for what is not a pattern.
  init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count <= Self.bytesMax else { return nil }
    var error: Int32 = 0
    var place = 0
    let options = UInt32(PCRE2_ANCHORED) | UInt32(PCRE2_ENDANCHORED) | UInt32(PCRE2_NEVER_BACKSLASH_C)
    guard let code = pcre2_compile_8(bytes, bytes.count, options, &error, &place, nil) else { return nil }
    guard let limits = pcre2_match_context_create_8(nil), let match = pcre2_match_data_create_8(1, nil) else {
      pcre2_code_free_8(code)
      return nil
    }
    pcre2_set_match_limit_8(limits, Self.stepsMax)
    pcre2_set_depth_limit_8(limits, Self.stepsMax)
    self.code = code
    self.limits = limits
    self.match = match
  }

  deinit {
    pcre2_match_data_free_8(match)
    pcre2_match_context_free_8(limits)
    pcre2_code_free_8(code)
  }

  /// Nil when PCRE2 gave up: another name would cost as much again.
  func matches(_ name: String) -> Bool? {
    let bytes = Array(name.utf8)
    let result = pcre2_match_8(code, bytes, bytes.count, 0, 0, match, limits)
    switch result {
    case PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_DEPTHLIMIT, PCRE2_ERROR_HEAPLIMIT: return nil
    default: return result >= 0
    }
  }
}
