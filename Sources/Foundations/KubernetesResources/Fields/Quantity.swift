/// A number with a unit as Kubernetes writes it (`100Gi`, `500m`), compared by what it comes to: the API server writes
/// `1000m` back as `1`.
public struct Quantity: Hashable, Comparable, Sendable {
  /// Thousandths of one, rounded up.
  public let thousandths: Int64

  /// Fails for what is no quantity, and for more than about 8 EiB.
  public init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty, var value = Int64(digits) else { return nil }
    var rest = text[digits.endIndex...]
    var fraction: Int64 = 0
    if rest.first == "." {
      let decimals = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
      guard !decimals.isEmpty else { return nil }
      // More than three decimals are below a thousandth.
      let three = String((decimals + "000").prefix(3))
      fraction = Int64(three) ?? 0
      rest = rest[decimals.endIndex...]
    }
    guard let (factor, isThousandth) = Self.unit(rest) else { return nil }
    if isThousandth {
      thousandths = value + (fraction > 0 ? 1 : 0)
      return
    }
    let (scaled, overflow) = value.multipliedReportingOverflow(by: 1000)
    guard !overflow else { return nil }
    value = scaled + fraction
    let (product, overflow2) = value.multipliedReportingOverflow(by: factor)
    guard !overflow2 else { return nil }
    thousandths = product
  }

  private static func unit(_ text: Substring) -> (Int64, Bool)? {
    switch text {
    case "": (1, false)
    case "m": (1, true)
    case "k": (1000, false)
    case "M": (1_000_000, false)
    case "G": (1_000_000_000, false)
    case "T": (1_000_000_000_000, false)
    case "P": (1_000_000_000_000_000, false)
    case "E": (1_000_000_000_000_000_000, false)
    case "Ki": (1 << 10, false)
    case "Mi": (1 << 20, false)
    case "Gi": (1 << 30, false)
    case "Ti": (1 << 40, false)
    case "Pi": (1 << 50, false)
    case "Ei": (1 << 60, false)
    default: nil
    }
  }

  public static func < (a: Self, b: Self) -> Bool { a.thousandths < b.thousandths }
}
