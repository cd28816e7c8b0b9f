/// Rows under headings, each column as wide as its widest cell. Columns of numbers are aligned to the right.
struct Table: Sendable {
  private let headings: [String]
  private var rows: [[String]] = []

  init(_ headings: String...) { self.headings = headings }

  mutating func add(_ cells: String...) {
    precondition(cells.count == headings.count, "a row with too few or too many cells")
    rows.append(cells)
  }

  var text: String {
    let widths = headings.indices.map { column in
      ([headings] + rows).map { $0[column].count }.max() ?? 0
    }
    let isNumeric = headings.indices.map { column in
      !rows.isEmpty && rows.allSatisfy { $0[column] == "-" || Int64($0[column]) != nil }
    }
    return ([headings] + rows).map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let gap = String(repeating: " ", count: widths[column] - cell.count)
        if column > 0 { line += "  " }
        line += isNumeric[column] ? gap + cell : cell + gap
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
