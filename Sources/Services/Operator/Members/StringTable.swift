import Synchronization

/// Texts that many objects have, and the names of fields that stand together, each once. It never shrinks, and stops
/// growing at its limits.
///
/// For Swift two texts are equal whose characters are, though their bytes differ, as with `é` in one scalar or in two. What
/// is found is given out only where its bytes are the same.
final class StringTable: Sendable {
  enum Limits {
    static let textsMax = 16_384
    /// Texts that were seen once, remembered until there are so many.
    static let candidatesMax = 2_048
    /// Shorter ones are as short by themselves.
    static let bytesMin = 3
    /// Longer ones are hardly ever the same twice.
    static let bytesMax = 512
    static let shapesMax = 4_096
    /// Objects with more fields than this are data of people.
    static let namesMax = 64
  }
  static let shared = StringTable()

  private struct State {
    var texts: [String] = []
    var places: [String: Int] = [:]
    var candidates: Set<String> = []
    var shapes: [[String]] = []
    var shapePlaces: [[String]: Int] = [:]
  }
  private let state = Mutex(State())

  /// The number of a text that was seen before; nil where it is worth none.
  func place(of text: String) -> Int? {
    guard (Limits.bytesMin...Limits.bytesMax).contains(text.utf8.count) else { return nil }
    return state.withLock { state in
      if let known = state.places[text] { return state.texts[known].hasBytes(of: text) ? known : nil }
      guard state.texts.count < Limits.textsMax else { return nil }
      guard state.candidates.remove(text) != nil else {
        if state.candidates.count >= Limits.candidatesMax { state.candidates.removeAll(keepingCapacity: true) }
        state.candidates.insert(text)
        return nil
      }
      state.places[text] = state.texts.count
      state.texts.append(text)
      return state.texts.count - 1
    }
  }

  /// The number of the names of an object's fields, in their order; nil where it is worth none.
  func shape(of names: [String]) -> Int? {
    guard names.count <= Limits.namesMax else { return nil }
    return state.withLock { state in
      if let known = state.shapePlaces[names] {
        return zip(state.shapes[known], names).allSatisfy { $0.hasBytes(of: $1) } ? known : nil
      }
      guard state.shapes.count < Limits.shapesMax else { return nil }
      state.shapePlaces[names] = state.shapes.count
      state.shapes.append(names)
      return state.shapes.count - 1
    }
  }

  func text(at place: Int) -> String { state.withLock { $0.texts[place] } }
  func names(ofShape place: Int) -> [String] { state.withLock { $0.shapes[place] } }
}

extension String {
  func hasBytes(of other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
