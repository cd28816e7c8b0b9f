import Coordination
import Vocabulary

extension TransactionSettings {
  /// From server.properties.
  init(_ reader: SettingsReader) {
    self.init()
    timeoutMax = reader.milliseconds("transaction.max.timeout.ms")
    idExpiration = reader.milliseconds("transactional.id.expiration.ms")
    idExpirationInterval = reader.milliseconds("transaction.remove.expired.transaction.cleanup.interval.ms")
  }
}
