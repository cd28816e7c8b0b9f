import Wire

/// Reads values of every kind, the input choosing which, until the bytes end or are refused.
@_cdecl("LLVMFuzzerTestOneInput")
public func readPrimitives(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  var reader = ByteReader(UnsafeRawBufferPointer(start: start, count: count))
  while reader.remaining > 0 {
    let before = reader.position
    do {
      try readOne(&reader)
    } catch {
      return 0
    }
    precondition(reader.position > before, "a value was read without moving on")
  }
  return 0
}

func readOne(_ reader: inout ByteReader) throws(WireError) {
  switch try reader.int8() & 7 {
  case 0: _ = try reader.int16()
  case 1: _ = try reader.int32()
  case 2: _ = try reader.int64()
  case 3: _ = try reader.unsignedVarint()
  case 4: _ = try reader.varlong()
  case 5: _ = try reader.text(Int(reader.int32()))
  case 6: _ = try reader.copy(Int(reader.int32()))
  default: _ = try reader.slice(Int(truncatingIfNeeded: reader.varlong()))
  }
}
