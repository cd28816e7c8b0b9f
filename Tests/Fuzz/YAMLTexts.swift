import JSONValue
import YAML

/// Reads the documents of a YAML text; what was read must come back from what is written of it.
@_cdecl("LLVMFuzzerTestOneInput")
public func readYAML(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  guard let text = String(validating: UnsafeBufferPointer(start: start, count: count), as: UTF8.self) else { return 0 }
  var limits = YAMLLimits()
  limits.valuesMax = 10_000
  guard let documents = try? JSON.documents(inYAML: text, limits: limits) else { return 0 }
  let again = try? JSON.documents(inYAML: JSON.yamlText(documents: documents))
  precondition(again == documents, "a document was not read as it was written")
  return 0
}
