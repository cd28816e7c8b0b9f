public import Wire

// Records that are at hand as arrays, for those who touch no pointers.

extension MetadataRecord {
  public static func decodeValue(_ bytes: [UInt8]) throws(WireError) -> MetadataRecord? {
    try bytes.withUnsafeBufferPointer { (pointer) throws(WireError) in try decodeValue(UnsafeRawBufferPointer(pointer))
    }
  }
}

extension GroupRecordKey {
  public static func decode(_ bytes: [UInt8]) throws(WireError) -> GroupRecordKey? {
    try bytes.withUnsafeBufferPointer { (pointer) throws(WireError) in try decode(UnsafeRawBufferPointer(pointer)) }
  }
}

extension VersionedRecord {
  public static func decode(_ bytes: [UInt8]) throws(WireError) -> Self {
    try bytes.withUnsafeBufferPointer { (pointer) throws(WireError) in try decode(UnsafeRawBufferPointer(pointer)) }
  }
}

extension QuorumRecord {
  public static func decode(key: [UInt8], value: [UInt8]) throws(WireError) -> QuorumRecord? {
    try key.withUnsafeBufferPointer { (key) throws(WireError) in
      try value.withUnsafeBufferPointer { (value) throws(WireError) in
        try decode(key: UnsafeRawBufferPointer(key), value: UnsafeRawBufferPointer(value))
      }
    }
  }
}
