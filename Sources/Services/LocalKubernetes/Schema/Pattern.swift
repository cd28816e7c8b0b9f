import CPCRE2

/// Whether a regular expression is found in a text; nil when it is no expression, or PCRE2 gave up on it.
func matches(pattern: String, _ text: String) -> Bool? {
  let stepsMax: UInt32 = 200_000
  let bytes = Array(pattern.utf8)
  var error: Int32 = 0
  var place = 0
  guard let code = pcre2_compile_8(bytes, bytes.count, UInt32(PCRE2_UTF), &error, &place, nil) else { return nil }
  defer { pcre2_code_free_8(code) }
  guard let limits = pcre2_match_context_create_8(nil), let match = pcre2_match_data_create_8(1, nil) else {
    return nil
  }
  defer {
    pcre2_match_data_free_8(match)
    pcre2_match_context_free_8(limits)
  }
  pcre2_set_match_limit_8(limits, stepsMax)
  let subject = Array(text.utf8)
  let result = pcre2_match_8(code, subject, subject.count, 0, 0, match, limits)
  return result >= 0 ? true : result == PCRE2_ERROR_NOMATCH ? false : nil
}
