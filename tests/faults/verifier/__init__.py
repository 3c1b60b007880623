"""An external verifier: reads Kafka and Redis as anyone could, and holds a fold and a graph of ids of its own.

It shares no code with schemas, processors or streams, with two exceptions that say so: `again` folds the turn records
with the engine's own Decider, which shows determinism, not independence; and `persons` asks the engine's own view of a
person what it sees, to judge it.
"""
