import FoundationEssentials
import JSONValue
import KubernetesResources
import Testing
import YAML

@Suite struct DefinitionTests {
  static let top = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  /// With SWIFTWATER_WRITE_CRDS=1 the files are written instead of compared.
  @Test func theFilesInCrdsAreWhatTheSwiftTypesState() throws {
    for definition in Definitions.all {
      let plural = try #require(definition["spec"]["names"]["plural"].string)
      let path = "\(Self.top)/crds/\(plural).yaml"
      if ProcessInfo.processInfo.environment["SWIFTWATER_WRITE_CRDS"] != nil {
        try definition.yamlText().write(toFile: path, atomically: true, encoding: .utf8)
      }
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(try JSON.documents(inYAML: text) == [definition], "write them again with SWIFTWATER_WRITE_CRDS=1")
    }
  }
}
