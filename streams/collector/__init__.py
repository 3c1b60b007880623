"""HTTP in: what SDKs send becomes events in Kafka, answered only when Kafka has them."""
