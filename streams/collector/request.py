"""A produce request and its answer, as bytes: aiokafka's own, without a step through its schemas for each field."""

from io import BytesIO
from struct import Struct, iter_unpack, pack, unpack_from
from typing import Any, Final

from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7, ProduceResponse_v7

HEAD: Final = Struct(">hhii")
"""No transaction, acks, time-out, number of topics."""
PLACED: Final = Struct(">ii")
"""Partition, bytes of its batch."""
TOLD: Final = Struct(">ihqqq")
"""Partition, error, first offset, time, where the log starts."""


class Answer(ProduceResponse_v7):
    """What became of each batch."""

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> Any:
        """As aiokafka reads it."""
        raw = data if isinstance(data, bytes) else data.read()
        topics, at = [], 4
        for _ in range(unpack_from(">i", raw)[0]):
            name = at + 2 + unpack_from(">h", raw, at)[0]
            topic, end = raw[at + 2 : name].decode(), name + 4 + unpack_from(">i", raw, name)[0] * TOLD.size
            topics.append((topic, list(iter_unpack(TOLD.format, raw[name + 4 : end]))))
            at = end
        return cls(topics, unpack_from(">i", raw, at)[0])


class Packed(ProduceRequest_v7):
    """A request, ready to be encoded."""

    RESPONSE_TYPE = Answer

    def encode(self) -> bytes:
        """As aiokafka writes it."""
        told: Any = self
        parts = [HEAD.pack(-1, told.required_acks, told.timeout, len(told.topics))]
        for topic, batches in told.topics:
            name = topic.encode()
            parts += pack(">h", len(name)), name, pack(">i", len(batches))
            for partition, batch in batches:
                parts += PLACED.pack(partition, len(batch)), batch
        return b"".join(parts)


class Produce(ProduceRequest):
    """A request of batches outside any transaction. Other brokers than those that take version 7 get aiokafka's own."""

    def build(self, request_struct_class: Any) -> Any:
        """The request in this version."""
        if request_struct_class is not ProduceRequest_v7 or self._transactional_id is not None:
            return super().build(request_struct_class)
        return Packed(None, self._required_acks, self._timeout, self._topics)
