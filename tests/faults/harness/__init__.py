"""The fault harness: real Kafka, real Redis, processes that are killed, and a verifier that looks on from outside.

`python -m tests.faults.harness` runs seeded scenarios and writes a report; every run prints how to run it again.
"""
