import JSONValue

/// Reads a JSON text; what was read must come back from what is written of it.
@_cdecl("LLVMFuzzerTestOneInput")
public func readJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  guard let value = try? JSON(parsing: UnsafeRawBufferPointer(start: start, count: count)) else { return 0 }
  let again = try? JSON(parsing: value.bytes())
  precondition(again == value, "a value was not read as it was written")
  return 0
}
