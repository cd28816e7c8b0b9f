import FoundationEssentials

/// The files of this checkout that are the project's own, as text.
struct Checkout {
  struct File {
    /// From the top of the checkout, such as `Sources/Foundations/Wire/ByteReader.swift`.
    let path: String
    let text: String
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    /// The folder below `Sources/<kind>/`, which is the module's name; nil outside of Sources.
    var module: String? {
      let parts = path.split(separator: "/")
      return parts.count > 3 && parts[0] == "Sources" ? String(parts[2]) : nil
    }
    var kind: Substring? {
      let parts = path.split(separator: "/")
      return parts.count > 3 && parts[0] == "Sources" ? parts[1] : nil
    }
    /// The modules that the file imports.
    var imports: [String] {
      lines.compactMap { line in
        let words = line.split(separator: " ").filter { !$0.hasPrefix("@") }
        guard let at = words.firstIndex(of: "import"), at <= 1, words.count > at + 1 else { return nil }
        guard at == 0 || ["public", "package", "internal", "private", "fileprivate"].contains(words[0]) else {
          return nil
        }
        return String(words.last!.split(separator: ".").first!)
      }
    }
  }

  static let top: String = {
    let parts = #filePath.split(separator: "/").dropLast(3)
    return "/" + parts.joined(separator: "/")
  }()

  /// Every file below a folder whose name ends as asked, in the order of their paths. Hidden folders are left out.
  static func files(below folder: String, ending: String = "") -> [File] {
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: top + "/" + folder)) ?? []
    return names.sorted().filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") && !$0.contains("/.") }
      .compactMap { read(folder + "/" + $0) }
  }

  static func read(_ path: String) -> File? {
    guard let bytes = FileManager.default.contents(atPath: top + "/" + path), !bytes.contains(0) else { return nil }
    return String(validating: bytes, as: UTF8.self).map { File(path: path, text: $0) }
  }

  static let sources = files(below: "Sources", ending: ".swift")
  static let swift = sources + files(below: "Tests", ending: ".swift") + [read("Package.swift")].compactMap { $0 }
  /// Everything that people read or run.
  static let everything =
    swift + files(below: "Sources", ending: ".h") + files(below: "Sources", ending: ".c")
    + files(below: "Tests", ending: ".py") + files(below: "hack") + files(below: "docs")
    + ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", ".ci/run", "Dockerfile"]
    .compactMap { read($0) }
}
