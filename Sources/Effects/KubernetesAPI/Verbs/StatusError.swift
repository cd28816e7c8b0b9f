import JSONValue
public import Vocabulary

/// An API server's refusal: its `Status` object, or what can be said of an answer that has none.
public struct StatusError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The HTTP status, or the one that a watch reported.
  public let code: Int
  /// Such as `NotFound`, `Conflict`, `Expired`; empty when the server gave none.
  public let reason: String
  /// The server's own sentence.
  public let message: String
  public let causes: [Cause]
  /// When the server wants to be asked again; nil if it does not say.
  public let retryAfter: TimeSpan?

  public struct Cause: Hashable, Sendable {
    /// Such as `FieldValueInvalid`, `FieldManagerConflict`.
    public let reason: String
    public let message: String
    /// Such as `.spec.replicas`; may be empty.
    public let field: String
  }

  /// Who owns a field that server-side apply would have changed.
  public struct FieldConflict: Hashable, Sendable {
    public let manager: String
    public let field: String
  }

  public init(code: Int, reason: String, message: String, causes: [Cause] = [], retryAfter: TimeSpan? = nil) {
    self.code = code
    self.reason = reason
    self.message = message
    self.causes = causes
    self.retryAfter = retryAfter
  }

  /// Reads a `Status`. Bodies of other forms, such as a proxy's, become the message, shortened.
  init(head: TransferHead, body: [UInt8]) {
    let header = head.headers["retry-after"].flatMap(Int64.init).map { TimeSpan.seconds(max(0, $0)) }
    if let value = try? JSON(parsing: body), value["kind"].string == "Status" {
      self.init(status: value, code: head.status, retryAfter: header)
      return
    }
    let words = String(decoding: body.prefix(300), as: UTF8.self).split { $0.isNewline }.joined(separator: " ")
    self.init(code: head.status, reason: "", message: words.isEmpty ? "the answer is empty" : words, retryAfter: header)
  }

  init(status value: JSON, code: Int, retryAfter: TimeSpan? = nil) {
    let details = value["details"]
    let seconds = details["retryAfterSeconds"].int64.flatMap { $0 > 0 ? TimeSpan.seconds($0) : nil }
    self.init(
      code: value["code"].int ?? code, reason: value["reason"].string ?? "", message: value["message"].string ?? "",
      causes: details["causes"].elements.map {
        Cause(
          reason: $0["reason"].string ?? "", message: $0["message"].string ?? "", field: $0["field"].string ?? "")
      }, retryAfter: retryAfter ?? seconds)
  }

  /// What server-side apply would have had to take from others. Empty for other refusals.
  public var fieldConflicts: [FieldConflict] {
    causes.filter { $0.reason == "FieldManagerConflict" }.map { cause in
      // The manager stands in the words only: conflict with "kubectl" using apps/v1
      let parts = cause.message.split(separator: "\"", omittingEmptySubsequences: false)
      return FieldConflict(manager: parts.count > 2 ? String(parts[1]) : "another manager", field: cause.field)
    }
  }

  public var isNotFound: Bool { code == 404 }
  /// Another writer was faster, or a precondition does not hold, or fields belong to others.
  public var isConflict: Bool { code == 409 && reason != "AlreadyExists" }
  public var isAlreadyExists: Bool { code == 409 && reason == "AlreadyExists" }
  /// The resource version or the place in a list is too old.
  public var isExpired: Bool { code == 410 || reason == "Expired" || reason == "Gone" }

  public var description: String {
    let name = reason.isEmpty ? "status \(code)" : "\(reason) (\(code))"
    let conflicts = fieldConflicts.map { "\($0.field) belongs to \($0.manager)" }
    return "\(name): \(conflicts.isEmpty ? message : conflicts.joined(separator: ", "))"
  }
}
