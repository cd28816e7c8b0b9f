import CMicroHTTPD

/// The library's callback. It is called once when the headers are there, and again for the body; only then may
/// be answered.
func answer(
  context: UnsafeMutableRawPointer?, connection: OpaquePointer?, url: UnsafePointer<CChar>?,
  method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?, upload: UnsafePointer<CChar>?,
  uploadSize: UnsafeMutablePointer<Int>?, request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
  guard let context, let connection, let url, let method, let request, let uploadSize else { return .NO }
  if request.pointee == nil {
    // Any pointer will do: it only says that the headers were seen.
    request.pointee = context
    return .YES
  }
  if uploadSize.pointee > 0 {
    // A body means nothing to GET and HEAD, and is refused with every other method.
    uploadSize.pointee = 0
    return .YES
  }
  guard let method = HTTPRequest.Method(rawValue: String(cString: method)) else {
    var refusal = HTTPResponse.text("only GET and HEAD", status: 405)
    refusal.headers.append(("Allow", "GET, HEAD"))
    return send(refusal, on: connection)
  }
  let asked = HTTPRequest(
    method: method, path: String(cString: url), query: values(of: connection, kind: .GET_ARGUMENT_KIND),
    headers: values(of: connection, kind: .HEADER_KIND).map { ($0.name.lowercased(), $0.value) })
  let handler = Unmanaged<HandlerBox>.fromOpaque(context).takeUnretainedValue().handler
  return send(handler(asked), on: connection)
}

func send(_ response: HTTPResponse, on connection: OpaquePointer) -> MHD_Result {
  let made = response.body.withUnsafeBytes { body in
    // The library copies the bytes, although their type here lacks the const.
    MHD_create_response_from_buffer(
      body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
  }
  guard let made else { return .NO }
  defer { MHD_destroy_response(made) }
  // A header that is none, such as one with a line break in it, is left out by the library.
  for (name, value) in response.headers { _ = MHD_add_response_header(made, name, value) }
  return MHD_queue_response(connection, UInt32(clamping: response.status), made)
}

/// The arguments of the query or the headers.
func values(of connection: OpaquePointer, kind: MHD_ValueKind) -> [(name: String, value: String)] {
  var found: [(name: String, value: String)] = []
  withUnsafeMutablePointer(to: &found) { list in
    _ = MHD_get_connection_values(
      connection, kind,
      { list, _, name, value in
        guard let list, let name else { return .YES }
        list.assumingMemoryBound(to: [(name: String, value: String)].self).pointee
          .append((String(cString: name), value.map { String(cString: $0) } ?? ""))
        return .YES
      }, list)
  }
  return found
}
