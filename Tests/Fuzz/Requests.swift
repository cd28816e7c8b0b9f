import KafkaProtocol

/// Reads a request of whichever kind and version the first bytes say.
@_cdecl("LLVMFuzzerTestOneInput")
public func readRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  try? decodeAnyRequest(UnsafeRawBufferPointer(start: start, count: count))
  return 0
}
