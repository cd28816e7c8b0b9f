import KafkaProtocol

/// What a producer might send, and what might lie in a torn log: checked, and walked over to the last header.
///
/// The checksum is not asked for, because chance would hardly ever find a right one.
@_cdecl("LLVMFuzzerTestOneInput")
public func walkRecordBatches(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  _ = try? ClientBatch.check(bytes)
  var batches = RecordBatchCursor(bytes)
  do {
    while let batch = try batches.next() {
      _ = try? ClientBatch.checkRecords(of: batch.header, body: batch.body, keys: .optional)
      try walk(batch)
    }
  } catch {
    return 0
  }
  return 0
}

func walk(_ batch: RecordBatch) throws(RecordBatchError) {
  var records = batch.records
  while let record = try records.next() {
    var bytes = (record.key?.count ?? 0) + (record.value?.count ?? 0)
    for header in record.headers { bytes += header.key.count + (header.value?.count ?? 0) }
    precondition(bytes <= batch.body.count, "a record is larger than its batch")
  }
}
