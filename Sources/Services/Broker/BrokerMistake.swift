/// Mistakes of the layer that puts decisions and effects together, which a simulation has to find, for the proof that it
/// can. No caller outside of this package can ask for one.
package enum BrokerMistake: String, Sendable, CaseIterable {
  /// A node that is alone waits for its own heartbeats, which it does not send, and fences itself.
  case fencesWhoIsAlone
}
