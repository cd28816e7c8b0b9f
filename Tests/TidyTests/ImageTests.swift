import Testing

@Suite struct ImageTests {
  /// What the image is built with and what the package names are two lists of one thing.
  @Test func theImageInstallsTheLibrariesThatThePackageNames() throws {
    let package = try #require(Checkout.read("Package.swift")).text
    let image = try #require(Checkout.read("Dockerfile")).text
    let named = Set(package.split(separator: "\n").compactMap(Self.library))
    let installed = Set(image.split { $0 == " " || $0 == "\n" }.filter { $0.hasSuffix("-dev") }.map(String.init))
    #expect(named.count > 3)
    #expect(named == installed)
  }

  private static func library(_ line: Substring) -> String? {
    guard line.contains("library("), let marker = line.split(separator: "apt: \"").dropFirst().first else { return nil }
    return marker.split(separator: "\"").first.map(String.init)
  }
}
