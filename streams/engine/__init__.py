"""The heart: fetches come in from Kafka, turns are gathered, decided and committed, triggers leave."""
