import JSONValue
import Testing
import Vocabulary

@testable import KubernetesAPI

@Suite struct LeaseElectionTests {
  let wall = Timestamp(milliseconds: 1_700_000_000_000)
  func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }
  func lease(_ holder: String, _ version: String, seconds: Int64 = 15, transitions: Int = 3) -> LeaseRecord {
    LeaseRecord(
      holder: holder, duration: .seconds(seconds), acquired: wall, renewed: wall, transitions: transitions,
      annotations: ["epoch": "7"], resourceVersion: version)
  }

  @Test func nothingIsDecidedBeforeTheServerWasAsked() {
    let election = LeaseElection(identity: "me", duration: .seconds(15))
    #expect(election.decide(at: at(0), wall: wall) == nil)
    #expect(!election.isHeld(at: at(0)))
  }

  @Test func aLeaseThatIsNotThereIsCreated() {
    var election = LeaseElection(identity: "me", duration: .seconds(15))
    election.observed(nil, at: at(0))
    guard case .create(let record)? = election.decide(at: at(0), wall: wall) else {
      Issue.record("it was not created")
      return
    }
    #expect(record.holder == "me" && record.transitions == 0 && record.resourceVersion == "")
    election.wrote(lease("me", "1"), sentAt: at(1))
    #expect(election.isHeld(at: at(15)))
    #expect(!election.isHeld(at: at(16)), "ours ends a duration after the sending")
  }

  @Test func anothersLeaseIsTakenOnlyWhenItWasSilentForItsWholeDurationUnderOurEyes() {
    var election = LeaseElection(identity: "me", duration: .seconds(15))
    election.observed(lease("you", "1", seconds: 20), at: at(100))
    #expect(election.decide(at: at(100), wall: wall) == .wait(until: at(120)))
    election.observed(lease("you", "1", seconds: 20), at: at(110))
    #expect(election.decide(at: at(119), wall: wall) == .wait(until: at(120)))
    election.observed(lease("you", "2", seconds: 20), at: at(119))
    #expect(election.decide(at: at(120), wall: wall) == .wait(until: at(139)))
    guard case .write(let record)? = election.decide(at: at(139), wall: wall) else {
      Issue.record("it was not taken")
      return
    }
    #expect(record.holder == "me" && record.resourceVersion == "2" && record.transitions == 4)
    #expect(record.annotations == ["epoch": "7"])
    #expect(!election.isHeld(at: at(139)), "it is ours only when the server has taken it")
  }

  @Test func aClockThatIsWrongElsewhereChangesNothing() {
    var election = LeaseElection(identity: "me", duration: .seconds(15))
    var record = lease("you", "1")
    record.renewed = Timestamp(milliseconds: 0)
    election.observed(record, at: at(0))
    #expect(election.decide(at: at(14), wall: wall) == .wait(until: at(15)))
  }

  @Test func aRenewalKeepsTheTransitionsAndTheTimeOfAcquisition() {
    var election = LeaseElection(identity: "me", duration: .seconds(15))
    election.observed(lease("me", "5"), at: at(0))
    #expect(!election.isHeld(at: at(0)), "an earlier life's Lease is not believed in")
    guard case .write(let record)? = election.decide(at: at(0), wall: Timestamp(milliseconds: 9), annotations: [:])
    else {
      Issue.record("it was not renewed")
      return
    }
    #expect(record.transitions == 3 && record.acquired == wall && record.renewed == Timestamp(milliseconds: 9))
    #expect(record.annotations == [:])
  }

  @Test func aLeaseThatAnotherOneTookIsNotOursAtOnce() {
    var election = LeaseElection(identity: "me", duration: .seconds(15))
    election.observed(nil, at: at(0))
    election.wrote(lease("me", "1"), sentAt: at(0))
    election.observed(lease("you", "2"), at: at(1))
    #expect(!election.isHeld(at: at(1)))
    election.observed(nil, at: at(2))
    #expect(!election.isHeld(at: at(2)))
  }

  @Test func aLeaseThatIsGivenUpIsFreeAtOnce() {
    var election = LeaseElection(identity: "me", duration: .seconds(15))
    #expect(election.release(wall: wall) == nil)
    election.observed(nil, at: at(0))
    election.wrote(lease("me", "1"), sentAt: at(0))
    let released = election.release(wall: wall)
    #expect(released?.holder == "" && released?.duration == .seconds(1) && released?.resourceVersion == "1")
    #expect(!election.isHeld(at: at(0)))
    var other = LeaseElection(identity: "you", duration: .seconds(15))
    other.observed(released, at: at(1))
    guard case .write(let record)? = other.decide(at: at(1), wall: wall) else {
      Issue.record("it was not taken")
      return
    }
    #expect(record.holder == "you" && record.transitions == 4)
  }

  @Test func aLeaseIsReadAsItIsWritten() {
    let record = lease("me", "7")
    var object = record.object(ObjectKey(namespace: "a", name: "b"))
    #expect(LeaseRecord(object: object) == record)
    #expect(object["spec"]["renewTime"] == "2023-11-14T22:13:20.000000Z")
    object.remove("spec")
    #expect(LeaseRecord(object: object) == nil)
  }

  @Test func theLeaseOfAServerThatDoesNotAnswerStaysOursUntilItsTimeIsOver() async throws {
    let server = try ScriptedServer { request, number in
      switch number {
      case 1: .answer(404, Said.status(404, "NotFound"))
      case 2:
        .answer(201, request.json.merged(with: ["metadata": ["resourceVersion": "1"]]))
      default: .answer(400, Said.status(400, "BadRequest"))
      }
    }
    let lease = Lease(try server.client(), ObjectKey(namespace: "a", name: "b"), identity: "me", duration: .seconds(15))
    #expect(try await lease.attempt())
    await #expect(throws: APIError.self) { try await lease.attempt() }
    let until = try #require(await lease.heldUntil)
    #expect(await lease.isHeld(at: Instant(nanoseconds: until.nanoseconds - 1)))
    #expect(await lease.isHeld(at: until) == false)
  }

  @Test func whoIsSlowerIsNotTheHolderAndThatIsNoError() async throws {
    let server = try ScriptedServer { _, number in
      number == 1 ? .answer(404, Said.status(404, "NotFound")) : .answer(409, Said.status(409, "AlreadyExists"))
    }
    let lease = Lease(try server.client(), ObjectKey(namespace: "a", name: "b"), identity: "me", duration: .seconds(15))
    #expect(try await lease.attempt() == false)
  }
}
