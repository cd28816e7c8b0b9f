import JSONValue
import Testing

@Suite struct MergePatchTests {
  /// The examples of RFC 7396, appendix A.
  @Test(
    arguments: [
      (["a": "b"], ["a": "c"], ["a": "c"]), (["a": "b"], ["b": "c"], ["a": "b", "b": "c"]),
      (["a": "b"], ["a": .null], [:]), (["a": "b", "b": "c"], ["a": .null], ["b": "c"]),
      (["a": ["b"]], ["a": "c"], ["a": "c"]), (["a": "c"], ["a": ["b"]], ["a": ["b"]]),
      (["a": ["b": "c"]], ["a": ["b": "d", "c": .null]], ["a": ["b": "d"]]),
      (["a": [["b": "c"]]], ["a": [1]], ["a": [1]]), (["a", "b"], ["c", "d"], ["c", "d"]), (["a": "b"], ["c"], ["c"]),
      (["a": "foo"], .null, .null), (["a": "foo"], "bar", "bar"), (["e": .null], ["a": 1], ["e": .null, "a": 1]),
      ([1, 2], ["a": "b", "c": .null], ["a": "b"]), ([:], ["a": ["bb": ["ccc": .null]]], ["a": ["bb": [:]]]),
    ] as [(JSON, JSON, JSON)])
  func aPatchIsMerged(target: JSON, patch: JSON, result: JSON) {
    #expect(target.merged(with: patch) == result)
  }

  @Test(arguments: 0..<300) func thePatchBetweenTwoValuesMakesTheOneOfTheOther(seed: UInt64) {
    var inventor = Inventor(seed: seed)
    let a = JSON.object(["x": inventor.value(depth: 4), "y": inventor.value(depth: 3), "z": 1]).withoutNulls()
    let b = JSON.object(["x": inventor.value(depth: 4), "y": inventor.value(depth: 3), "z": 1]).withoutNulls()
    let patch = a.mergePatch(to: b)
    #expect(a.merged(with: patch) == b)
    #expect(a.mergePatch(to: a) == [:])
    #expect(patch["z"].isNull)
  }
}
