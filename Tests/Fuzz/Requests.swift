import KafkaProtocol

/// A frame without its size, as a connection would hand it over: any request, in any version.
@_cdecl("LLVMFuzzerTestOneInput")
public func decodeRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  try? decodeAnyRequest(UnsafeRawBufferPointer(start: start, count: count))
  return 0
}
