import CCurl
import EventLoop
import Glibc
import Vocabulary

/// A request while libcurl works on it. It belongs to the thread of its `CurlLoop`.
final class CurlTransfer {
  let id: UInt64
  let easy: UnsafeMutableRawPointer
  let sink: TransferSink
  let began: Instant
  let deadline: Instant
  let isStream: Bool
  private let bytesMax: Int
  private var headerList: UnsafeMutablePointer<curl_slist>?
  private var connectList: UnsafeMutablePointer<curl_slist>?
  private let errorText: UnsafeMutablePointer<CChar>
  private var headers: [String: String] = [:]
  private var isHeadTold = false
  private var body: [UInt8] = []
  /// What of a request's body is still to be given.
  private var unsent: ArraySlice<UInt8> = []
  private(set) var isTooLarge = false
  /// When bytes last came.
  private(set) var heard: Instant?

  /// Nil when no memory is left.
  init?(id: UInt64, _ request: TransferRequest, _ sink: TransferSink, at now: Instant) {
    guard let easy = curl_easy_init() else { return nil }
    self.id = id
    self.easy = easy
    self.sink = sink
    began = now
    deadline = request.deadline
    isStream = request.isStream
    bytesMax = request.bytesMax
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    set(request, at: now)
    secure(request)
    let context = Unmanaged.passUnretained(self).toOpaque()
    curl_set_private(easy, context)
    curl_set_error_text(easy, errorText)
    curl_set_receivers(
      easy,
      { bytes, size, count, context in
        guard let bytes, let context else { return 0 }
        let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
        return transfer.received(header: UnsafeRawBufferPointer(start: bytes, count: size * count))
      },
      { bytes, size, count, context in
        guard let bytes, let context else { return 0 }
        let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
        return transfer.received(UnsafeRawBufferPointer(start: bytes, count: size * count))
      }, context)
  }

  deinit {
    curl_easy_cleanup(easy)
    curl_slist_free_all(headerList)
    curl_slist_free_all(connectList)
    errorText.deallocate()
  }

  private func set(_ request: TransferRequest, at now: Instant) {
    curl_set_number(easy, CURLOPT_NOSIGNAL, 1)
    curl_set_text(easy, CURLOPT_URL, request.url)
    curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    // Without TLS nobody says beforehand whether a connection can be shared: others would wait for its first answer,
    // and for ever where that never comes.
    let isShared = request.url.hasPrefix("https:")
    curl_set_number(easy, CURLOPT_HTTP_VERSION, Int(isShared ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
    if isShared { curl_set_number(easy, CURLOPT_PIPEWAIT, 1) }
    // What is packed comes in pieces as large as the packer likes; events should come as they happen.
    if !request.isStream { curl_set_text(easy, CURLOPT_ACCEPT_ENCODING, "gzip") }
    if let body = request.body { send(body, isRepeatable: request.isRepeatable) }
    curl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method)
    let milliseconds = max(1, (request.deadline - now).milliseconds)
    curl_set_number(easy, CURLOPT_TIMEOUT_MS, Int(milliseconds))
    curl_set_number(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(min(milliseconds, TransferLimits.connecting.milliseconds)))
    curl_set_number(easy, CURLOPT_TCP_KEEPALIVE, 1)
    curl_set_number(easy, CURLOPT_TCP_KEEPIDLE, 10)
    curl_set_number(easy, CURLOPT_TCP_KEEPINTVL, 3)
    curl_set_unacknowledged_limit(easy, UInt32(TransferLimits.unacknowledged.milliseconds))
    // Without these two, curl would ask before a longer body and would say what it is.
    for header in request.headers + ["Expect:", "User-Agent: swiftwater"] {
      headerList = curl_slist_append(headerList, header) ?? headerList
    }
    if let proxy = request.proxy { curl_set_text(easy, CURLOPT_PROXY, proxy) }
  }

  private func send(_ body: [UInt8], isRepeatable: Bool) {
    if isRepeatable {
      return body.withUnsafeBytes { _ = curl_set_body(easy, $0.baseAddress ?? UnsafeRawPointer(errorText), $0.count) }
    }
    unsent = body[...]
    curl_set_body_once(
      easy,
      { bytes, size, count, context in
        guard let bytes, let context else { return 0 }
        let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
        let room = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
        let piece = transfer.unsent.prefix(room.count)
        room.copyBytes(from: piece)
        transfer.unsent = transfer.unsent.dropFirst(piece.count)
        return piece.count
      }, body.count, Unmanaged.passUnretained(self).toOpaque())
  }

  private func secure(_ request: TransferRequest) {
    let security = request.security
    func set(_ option: CURLoption, _ bytes: [UInt8]?) {
      bytes?.withUnsafeBytes { _ = curl_set_bytes(easy, option, $0.baseAddress, $0.count) }
    }
    set(CURLOPT_CAINFO_BLOB, security.authorities)
    set(CURLOPT_SSLCERT_BLOB, security.certificate)
    set(CURLOPT_SSLKEY_BLOB, security.key)
    if !security.isVerified {
      curl_set_number(easy, CURLOPT_SSL_VERIFYPEER, 0)
      curl_set_number(easy, CURLOPT_SSL_VERIFYHOST, 0)
    }
    if let name = security.serverName, let address = ServerAddress(request.url) {
      // curl checks the name that stands in the address. So the address gets the certificate's name, the connection is
      // made to where it really goes, and the server hears the name that it would have heard.
      curl_set_text(easy, CURLOPT_URL, address.url(host: name))
      let target = "\(name):\(address.port):\(address.host):\(address.port)"
      connectList = curl_slist_append(nil, target)
      curl_set_list(easy, CURLOPT_CONNECT_TO, connectList)
      headerList = curl_slist_append(headerList, "Host: \(address.hostAndPort)") ?? headerList
    }
    curl_set_list(easy, CURLOPT_HTTPHEADER, headerList)
  }

  private func received(header: UnsafeRawBufferPointer) -> Int {
    heard = monotonicNow()
    let line = String(decoding: header, as: UTF8.self)
    // A line of status begins a head; there are several when a proxy or an interim answer comes first.
    if line.hasPrefix("HTTP/") {
      headers = [:]
    } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")), headers.count < TransferLimits.headersMax {
      let value = line[line.utf8.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      headers[line[..<colon].lowercased()] = String(value.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" })
    }
    return header.count
  }

  private func received(_ bytes: UnsafeRawBufferPointer) -> Int {
    heard = monotonicNow()
    switch sink {
    case .whole:
      guard body.count + bytes.count <= bytesMax else {
        isTooLarge = true
        return 0
      }
      body.append(contentsOf: bytes)
    case .parts(_, let receive, _):
      tellHead()
      receive(Array(bytes))
    }
    return bytes.count
  }

  private var head: TransferHead { TransferHead(status: Int(curl_status(easy)), headers: headers) }

  /// Tells a stream's head as soon as there is one. A watch on which nothing happens has a head and no bytes.
  func tellHead() {
    guard !isHeadTold, case .parts(let tell, _, _) = sink, curl_status(easy) >= 200, !headers.isEmpty else { return }
    isHeadTold = true
    tell(head)
  }

  func end(_ failure: TransferFailure?) {
    switch sink {
    case .whole(let tell):
      if let failure { tell(.failure(failure)) } else { tell(.success(TransferAnswer(head: head, body: body))) }
    case .parts(_, _, let tell):
      tellHead()
      tell(failure)
    }
  }

  func failure(of code: CURLcode) -> TransferFailure? {
    switch code {
    case CURLE_OK: return nil
    case CURLE_OPERATION_TIMEDOUT: return .timedOut
    default: break
    }
    if isTooLarge { return .tooLarge }
    let detail = String(cString: errorText)
    let words = (detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail) + advice(on: code)
    let beforeSending: [CURLcode] = [
      CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR,
      CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE, CURLE_URL_MALFORMAT,
      CURLE_UNSUPPORTED_PROTOCOL, CURLE_SSL_CIPHER, CURLE_PROXY,
    ]
    return beforeSending.contains(code) ? .notConnected(words) : .cut(words)
  }

  /// What whoever wrote the kubeconfig can do about it.
  private func advice(on code: CURLcode) -> String {
    guard code == CURLE_PEER_FAILED_VERIFICATION else { return "" }
    return "; certificate-authority-data of the kubeconfig has to be the authority of this server's certificate"
      + ", and tls-server-name a name in it where the address is none"
  }
}

/// What a connection may cost.
enum TransferLimits {
  /// For name, connection and TLS together.
  static let connecting = TimeSpan.seconds(5)
  /// What was sent and not acknowledged for so long breaks the connection.
  static let unacknowledged = TimeSpan.seconds(10)
  /// Requests at once on one API server; further ones wait their turn, and their deadlines run. Watches do not count.
  static let requestsMax = 64
  /// Further headers of an answer are left out.
  static let headersMax = 100
}
