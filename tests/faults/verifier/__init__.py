"""An external verifier: reads Kafka and Redis as anyone could, and holds a fold of its own.

It shares no code with schemas, processors or streams, with one exception that says so: `again` folds the turn records
with the engine's own Decider, which shows determinism, not independence.
"""
