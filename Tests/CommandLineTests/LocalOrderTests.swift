import Glibc
import Testing

@testable import CommandLine

@Suite struct LocalOrderTests {
  private func folder() throws -> String {
    var template = Array("/tmp/orders-XXXXXX".utf8CString)
    return String(cString: try #require(mkdtemp(&template)))
  }
  private func write(_ path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
    try #require(descriptor >= 0)
    close(descriptor)
  }

  @Test func anOrderIsTakenOnceItIsWhollyWrittenAndNoneIsLostBefore() throws {
    let path = try folder()
    let orders = LocalOrders(folder: path)
    orders.open()
    defer {
      for name in ["orders/heal.a", "orders/heal.a.new", "process"] { unlink("\(path)/\(name)") }
      rmdir("\(path)/orders")
      rmdir(path)
    }
    try write("\(path)/orders/heal.a.new")
    #expect(orders.waiting() == [])
    try #require(rename("\(path)/orders/heal.a.new", "\(path)/orders/heal.a") == 0)
    #expect(orders.waiting() == [.init(verb: .heal, region: "a")])
    orders.done(.init(verb: .heal, region: "a"))
    #expect(orders.waiting() == [])
  }

  @Test func anOrderThatCannotBeWrittenWasNotCarriedOut() {
    #expect(throws: Failure.self) { try LocalOrders(folder: "/nowhere").give(.heal, "a") }
  }
}
