import HTTP
import Telemetry

/// `/metrics`, `/livez` and `/readyz`.
enum MetricsPage {
  static func serve(_ broker: Broker, at address: BrokerSettings.Address) throws -> HTTPServer {
    try HTTPServer(host: address.host, port: address.port) { request in
      switch request.path {
      case "/metrics":
        HTTPResponse(contentType: MetricRegistry.contentType, body: broker.metrics.registry.exposition())
      case "/livez": .text("ok")
      case "/readyz": broker.isReady ? .text("ok") : .text("not ready: starting or stopping", status: 503)
      default: .text("not found: /metrics, /livez and /readyz are here", status: 404)
      }
    }
  }
}
