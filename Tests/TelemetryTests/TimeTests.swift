import Testing

@testable import Telemetry

@Suite struct TimeTests {
  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_827_696_123_000_000, "2000-02-29T12:34:56.123Z"),
      (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999Z"), (1_709_251_200_000_000_000, "2024-03-01T00:00:00.000Z"),
      (4_102_444_800_000_000_000, "2100-01-01T00:00:00.000Z"), (-1_000_000, "1969-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func aTimeIsWrittenAsRFC3339(nanoseconds: Int64, text: String) {
    let line = LogLine(format: .text, time: nanoseconds, level: .info, part: "p", message: "m").finish()
    #expect(String(decoding: line, as: UTF8.self) == "\(text) INFO  p: m\n")
  }
}
