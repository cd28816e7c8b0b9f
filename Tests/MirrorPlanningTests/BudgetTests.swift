import MirrorPlanning
import Testing
import Vocabulary

@Suite struct BudgetTests {
  @Test func whatAllFetchesMayBringIsNoMoreThanTheSmallestBound() {
    for fetches in 1...40 {
      let share = fetchShare(response: 10_000_000, mirror: (30_000_000, fetches), broker: (60_000_000, fetches * 3))
      #expect(share * Int64(fetches) <= 30_000_000 && share * Int64(fetches * 3) <= 60_000_000, "\(fetches)")
      #expect(share <= 10_000_000 && share >= 1)
    }
    #expect(fetchShare(response: 10, mirror: (100, 1), broker: (100, 1)) == 10)
    // However little it is, a batch comes with each.
    #expect(fetchShare(response: 10, mirror: (1, 4), broker: (.max, 0)) == 1)
  }

  @Test func mirrorsLeaveRoomOnADiskAndGoOnByThemselves() {
    var room = DiskRoom()
    func free(_ bytes: Int64?) -> Bool {
      room.look(free: bytes, total: 10_000, reserving: 800)
      return room.isShort
    }
    #expect(!free(800))
    #expect(free(799))
    // A little more is not yet enough.
    #expect(free(899))
    #expect(!free(900))
    #expect(!free(800) && free(0))
    // Of a disk that does not say, it is not concluded that there is room.
    #expect(free(nil))
    #expect(!free(9000))
    #expect(!free(nil))
  }

  @Test func ofASmallDiskMirrorsLeaveATenth() {
    var room = DiskRoom()
    room.look(free: 101, total: 1000, reserving: 1 << 30)
    #expect(!room.isShort && room.reserve == 100)
    room.look(free: 99, total: 1000, reserving: 1 << 30)
    #expect(room.isShort)
    room.look(free: 0, total: 1000, reserving: 0)
    #expect(!room.isShort)
  }

  @Test func untilTheNextLookNoMoreIsWrittenThanLeavesTheReserve() {
    var room = DiskRoom()
    #expect(room.allowance == nil, "nobody has looked")
    for (free, allowance) in [(1000, 200), (801, 1), (800, 1), (799, 0), (850, 0), (900, 100)] as [(Int64, Int64)] {
      room.look(free: free, total: 10_000, reserving: 800)
      #expect(room.allowance == allowance, "\(free) free")
    }
    room.look(free: 0, total: 10_000, reserving: 0)
    #expect(room.allowance == nil, "nothing is reserved")
  }

  @Test func thereIsASentenceWithTheDiskTheFiguresAndWhatToDo() {
    var room = DiskRoom()
    room.look(free: 50, total: 10_000, reserving: 800)
    let words = room.description(of: "/data/one", "some.key")
    for part in ["/data/one", "50 bytes", "800", "900", "some.key"] { #expect(words.contains(part), "\(words)") }
  }

  @Test func aStatusSaysThatRoomIsShortAndOlderReadersUnderstandTheRest() throws {
    var status = PartitionStatus(state: .copying, start: .zero, end: Offset(3), mark: Offset(3))
    status.lacksRoom("the disk is full")
    let read = try #require(PartitionStatus(text: status.text))
    #expect(read == status && read.isShortOfRoom && read.state == .waiting && read.reason == "the disk is full")
    // What is about to be written down is not held up by it.
    var halted = PartitionStatus(state: .halted, start: .zero, end: .zero, mark: .zero)
    halted.lacksRoom("the disk is full")
    #expect(halted.state == .halted && !halted.isShortOfRoom)
  }
}
