import CLinux
import Glibc

/// A socket that listens, does not block, and is closed with its owner.
public struct ListeningSocket: ~Copyable {
  public let descriptor: Int32
  public let port: UInt16

  /// Listens on an address, a name, or with an empty host on every interface (IPv6 and IPv4); port 0 takes any free
  /// port. Blocks while the name is resolved. The error names the address.
  public init(host: String, port: UInt16) throws(SystemError) {
    descriptor = try openListeningSocket(host: host, port: port)
    self.port = UInt16(clamping: linux_local_port(descriptor))
  }
  deinit { close(descriptor) }

  /// Hands the descriptor over to somebody who will close it.
  public consuming func release() -> Int32 {
    let descriptor = descriptor
    discard self
    return descriptor
  }
}

/// Of several addresses that the name stands for, the first that can be had.
private func openListeningSocket(host: String, port: UInt16) throws(SystemError) -> Int32 {
  let what = "listen on \(host.isEmpty ? "*" : host):\(port)"
  let found = try ResolvedAddress.resolve(host: host, port: port, for: .listening)
  // For every interface, IPv6 comes first: its socket takes IPv4 too. Of a name's addresses, IPv4 does, as in Kafka.
  let preferred = host.isEmpty ? AF_INET6 : AF_INET
  let addresses = found.filter { $0.family == preferred } + found.filter { $0.family != preferred }
  var failure = SystemError(what, code: EADDRNOTAVAIL)
  for address in addresses {
    do {
      return try openListeningSocket(at: address, isWildcard: host.isEmpty, what: what)
    } catch {
      failure = error
      // Somebody else has it: another address of this name would not be what was asked for.
      if error.code == EADDRINUSE || error.code == EACCES { throw error }
    }
  }
  throw failure
}

private func openListeningSocket(
  at address: ResolvedAddress, isWildcard: Bool, what: String
) throws(SystemError) -> Int32 {
  let backlog: Int32 = 1024
  let descriptor = linux_socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { throw SystemError(what, code: -descriptor) }
  var status = linux_set_reuse_address(descriptor)
  if status == 0 && isWildcard && address.family == AF_INET6 { status = linux_set_both_families(descriptor) }
  if status == 0 { status = address.bind(descriptor) }
  if status == 0 && Glibc.listen(descriptor, backlog) != 0 { status = -errno }
  guard status == 0 else {
    close(descriptor)
    throw SystemError(what, code: -status)
  }
  return descriptor
}
