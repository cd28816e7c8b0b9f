import CChecksum
import KafkaProtocol
import Testing
import Vocabulary

@Suite struct RecordBatchChecksumTests {
  @Test(
    arguments: [
      ("", 0), ("123456789", 0xe306_9283), ("a", 0xc1d0_4330),
      ("The quick brown fox jumps over the lazy dog", 0x2262_0404),
    ] as [(String, UInt32)])
  func knownVectorsAreMet(text: String, crc: UInt32) {
    let bytes = Array(text.utf8)
    #expect(swiftwater_crc32c(0, bytes, bytes.count) == crc)
    #expect(swiftwater_crc32c_portable(0, bytes, bytes.count) == crc)
  }

  @Test func theInstructionAndThePortableWayAgreeAtEveryLength() {
    var state: UInt64 = 1
    let bytes = (0..<40_000).map { _ -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    bytes.withUnsafeBytes { raw in
      for length in Array(0..<1_600) + [12_287, 12_288, 12_289, 24_576, 39_993] {
        for start in [0, 1, 7] where start + length <= raw.count {
          let from = raw.baseAddress! + start
          #expect(swiftwater_crc32c(9, from, length) == swiftwater_crc32c_portable(9, from, length))
        }
      }
    }
  }

  @Test func aChecksumInPiecesIsTheChecksumOfTheWhole() {
    let bytes = (0..<30_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    bytes.withUnsafeBytes { raw in
      let first = Checksum.crc32c(UnsafeRawBufferPointer(rebasing: raw[..<13_001]))
      let both = Checksum.crc32c(UnsafeRawBufferPointer(rebasing: raw[13_001...]), continuing: first)
      #expect(both == Checksum.crc32c(raw))
    }
  }
}

/// What the checks of a client's batch say against it; nil when they accept it.
private func refusal(
  of bytes: [UInt8], control: ControlRule = .refused, keys: KeyRule = .optional
) -> ClientBatchRefusal? {
  bytes.withUnsafeBytes { raw in
    do throws(ClientBatchRefusal) {
      let batch = try ClientBatch.check(raw, control: control)
      _ = try ClientBatch.checkRecords(of: batch.header, body: batch.body, keys: keys)
      return nil
    } catch {
      return error
    }
  }
}

@Suite struct RecordBatchTests {
  static func sample(count: Int = 3) -> [UInt8] {
    var builder = RecordBatchBuilder()
    for n in 0..<count {
      builder.append(
        timestamp: Timestamp(milliseconds: 1_000 + Int64(n)), key: n == 1 ? nil : [1, 2], value: n == 2 ? nil : [3],
        headers: [("h", [9]), ("empty", nil)])
    }
    return builder.build()
  }

  @Test func whatIsBuiltIsReadBack() throws {
    try Self.sample().withUnsafeBytes { raw in
      let batch = try ClientBatch.check(raw)
      #expect(batch.isChecksumValid)
      #expect(batch.header.recordsCount == 3 && batch.header.lastOffsetDelta == 2)
      #expect(batch.header.maxTimestamp == Timestamp(milliseconds: 1_002))
      var records = batch.records
      let first = try #require(try records.next())
      #expect(first.key.map(Array.init) == [1, 2] && first.value.map(Array.init) == [3])
      #expect(first.headers.map { [UInt8]($0.key) } == [Array("h".utf8), Array("empty".utf8)])
      #expect(first.headers.map { $0.value.map([UInt8].init) } == [[9], nil])
      let second = try #require(try records.next())
      #expect(second.key == nil && second.offset == Offset(1) && second.timestamp == Timestamp(milliseconds: 1_001))
      let third = try #require(try records.next())
      #expect(third.value == nil)
      #expect(try records.next() == nil)
    }
  }

  @Test func offsetAndEpochAreOutsideOfTheChecksum() throws {
    var bytes = Self.sample()
    bytes.withUnsafeMutableBytes {
      RecordBatchEdit.setBaseOffset(Offset(1 << 40), in: $0)
      RecordBatchEdit.setLeaderEpoch(LeaderEpoch(12), in: $0)
    }
    try bytes.withUnsafeBytes { raw in
      let batch = try RecordBatch(raw)
      #expect(batch.isChecksumValid)
      #expect(batch.header.lastOffset == Offset(1 << 40 + 2) && batch.header.partitionLeaderEpoch == LeaderEpoch(12))
    }
    bytes.withUnsafeMutableBytes {
      RecordBatchEdit.setMaxTimestamp(Timestamp(milliseconds: 5), type: .logAppendTime, in: $0)
    }
    try bytes.withUnsafeBytes { raw in
      let batch = try RecordBatch(raw)
      #expect(batch.isChecksumValid)
      var records = batch.records
      #expect(try records.next()?.timestamp == Timestamp(milliseconds: 5))
    }
  }

  @Test func everyFlippedBitUnderTheChecksumIsRefused() {
    let good = Self.sample()
    for position in 8..<good.count where !(12..<16).contains(position) {
      var bytes = good
      bytes[position] ^= 1 << UInt8(position % 8)
      #expect(refusal(of: bytes) != nil, "byte \(position)")
    }
  }

  /// Bytes with a true CRC and any other lie: the walk must end with an answer, never with a trap.
  @Test func hostileBytesNeverTrap() {
    var state: UInt64 = 99
    func random() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33)
    }
    let good = Self.sample(count: 5)
    for _ in 0..<20_000 {
      var bytes = good
      for _ in 0...random() % 4 { bytes[random() % bytes.count] = UInt8(truncatingIfNeeded: random()) }
      bytes = Array(bytes.prefix(random() % 3 == 0 ? random() % bytes.count : bytes.count))
      if bytes.count >= RecordBatchHeader.byteCount {
        bytes.withUnsafeMutableBytes {
          RecordBatchEdit.setMaxTimestamp(Timestamp(milliseconds: Int64(random())), type: .createTime, in: $0)
        }
      }
      bytes.withUnsafeBytes { raw in
        guard let batch = try? ClientBatch.check(raw) else { return }
        _ = try? ClientBatch.checkRecords(of: batch.header, body: batch.body, keys: .required)
        var records = batch.records
        while let record = try? records.next() { for header in record.headers { _ = header.key.count } }
      }
    }
  }

  @Test func recordsOutOfOrderAreRefused() throws {
    var builder = RecordBatchBuilder(baseOffset: Offset(0))
    try Self.sample().withUnsafeBytes { raw in
      var records = try RecordBatch(raw).records
      let first = try #require(try records.next())
      let second = try #require(try records.next())
      builder.append(second)
      builder.append(first)
    }
    #expect(refusal(of: builder.build())?.code == .invalidRecord)
  }

  @Test func aRecordWithoutAKeyIsNamedWhereKeysAreRequired() {
    let refused = refusal(of: Self.sample(), keys: .required)
    #expect(refused?.code == .invalidRecord)
    #expect(refused?.records.map(\.index) == [1])
  }

  @Test func twoBatchesInOneRequestAreRefused() {
    #expect(refusal(of: Self.sample() + Self.sample())?.code == .invalidRecord)
  }

  @Test func controlBatchesFromClientsAreRefused() {
    var builder = RecordBatchBuilder(attributes: RecordBatchAttributes(isControl: true))
    builder.append(timestamp: .none, key: [0, 0, 0, 1], value: [])
    #expect(refusal(of: builder.build())?.code == .invalidRecord)
    #expect(refusal(of: builder.build(), control: .allowed) == nil)
  }

  @Test func aBatchThatIsCutOffEndsTheWalk() throws {
    let bytes = Self.sample() + Self.sample().dropLast(5)
    try bytes.withUnsafeBytes { raw in
      var cursor = RecordBatchCursor(raw)
      let first = try cursor.next()
      let second = try cursor.next()
      #expect(first != nil && second == nil)
      #expect(cursor.position == Self.sample().count)
    }
  }
}
