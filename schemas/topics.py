"""The topics: names, what they carry, and which partition a customer lives in.

All input topics have the same number of partitions and are keyed by customer, so partition p of every topic, and the
slot p of the state, belong to one worker.
"""

from typing import Final
from zlib import crc32

TRIGGERS: Final = "triggers"
PARTS: Final = "parts"
CLICKSTREAM: Final = "clickstream"
CART: Final = "cart"
POS: Final = "pos"
FEEDBACK: Final = "feedback"
DEAD_LETTERS: Final = "dead-letters"

KEYS: Final = "keys"
"""Data keys of customers, wrapped; compacted. There only where records are sealed."""

EVENTS: Final = (CLICKSTREAM, CART, POS)
"""Topics whose records are events."""

INPUTS: Final = (TRIGGERS, PARTS, CLICKSTREAM, CART, POS, FEEDBACK)
"""What a turn reads, in the order in which it reads them. Triggers come first: what left the house is known first. Then
what other ids of a customer did."""

ALL: Final = (*INPUTS, DEAD_LETTERS)


def partition_of(customer: bytes, partitions: int) -> int:
    """The partition of a customer: CRC-32 of the key, as librdkafka's default partitioner has it."""
    return crc32(customer) % partitions
