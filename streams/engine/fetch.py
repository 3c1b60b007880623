"""What one answer of Kafka brought of one topic partition, taken out of aiokafka whole.

How it works. A `Fetch` carries the positions it starts and ends at: offsets have holes (transaction markers, aborted
records), positions have none. It may hold no record at all and still move the position, so it is delivered all the
same. It also knows when it was *asked* and where the log ended in the answer (`tail`): who has gathered up to `tail`
has all that was in the log at `asked`. Answers without a byte deliver nothing, but their (asked, tail) is kept in
`ends`: a fact about the log, that no seek and no rebalance makes untrue. Only a proven leader's word is kept.

`Fetcher` is put over the fetcher of one consumer (`adopt`): it hands out aiokafka's Cython records of whole log
batches, no generator and no object a record, and skips aborted transactions itself.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from processors.turn import Record
from schemas.topics import TRIGGERS
from streams.engine.codec import Fetching
from streams.engine.leaders import Leaders
from streams.kafka import Place, bounds

Ends = dict[tuple[str, int], tuple[float, int]]
"""(topic, partition) -> (when asked, where the log ended); written by the consumer's thread, read by partitions. Topics
are ours here, without prefix."""


class Fetch:
    """Records of one topic partition, and what the answer said of its log."""

    __slots__ = ("asked", "end", "records", "start", "tail")

    def __init__(
        self, records: Sequence[Record], start: int, end: int, asked: float = 0.0, tail: int = 1 << 62
    ) -> None:
        self.records, self.start, self.end, self.asked, self.tail = records, start, end, asked, tail

    def after(self, position: int) -> "Fetch":
        """The part of it that begins at `position`."""
        rest = [record for record in self.records if record.offset >= position]
        return Fetch(rest, position, self.end, self.asked, self.tail)


class Fetcher(fetcher.Fetcher):
    """aiokafka's fetcher of one consumer, taught to date its questions and to hand out whole fetches."""

    ends: Ends
    names: Mapping[str, str]
    """Name in Kafka -> topic."""
    leaders: Leaders
    pause: float
    """Seconds between an answer with records and the next question to that broker: what comes meanwhile comes
    together, in fewer and larger turns. After an answer without any the next question is asked at once."""
    answered: dict[int, float]
    """Broker -> when it last had records."""

    @classmethod
    def adopt(cls, plain: fetcher.Fetcher, ends: Ends, names: Mapping[str, str], pause: float) -> None:
        """Make a running fetcher one of ours: aiokafka offers no way to give a consumer another class."""
        plain.__class__ = cls
        plain.ends, plain.names, plain.pause, plain.answered = ends, names, pause, {}
        client = plain._client
        plain.leaders = Leaders(
            lambda places: bounds(client, places),
            lambda place: client.cluster.leader_for_partition(TopicPartition(*place)),
        )

    async def close(self) -> None:
        await self.leaders.stop()
        await super().close()

    async def _proc_fetch_request(self, assignment, node_id, request):  # type: ignore[no-untyped-def]
        if (early := self.answered.get(node_id, 0.0) + self.pause - time.monotonic()) > 0:
            try:
                await asyncio.sleep(early)
            except asyncio.CancelledError:
                return False  # as aiokafka does: nobody wants the answer any more
        asked = time.time()
        places = [(name, part[0]) for name, parts in request.topics for part in parts]
        proven = {place for place in places if self.leaders.knows(place, node_id)}
        request.__class__ = Fetching
        needs_wakeup = await super()._proc_fetch_request(assignment, node_id, request)
        if needs_wakeup:
            self.answered[node_id] = time.monotonic()
        self._note(assignment, node_id, asked, places, proven)
        return needs_wakeup

    def _note(self, assignment, node_id, asked: float, places: list[Place], proven: set[Place]) -> None:  # type: ignore[no-untyped-def]
        """What the answer says of the ends of the logs."""
        ends, names, since = self.ends, self.names, int(asked * 1000)
        for place in places:
            state = assignment.state_value(place)  # to a dict a pair is the TopicPartition that equals it
            if state is None:
                continue  # not ours any more
            if state.timestamp is None or state.timestamp < since:
                self.leaders.doubt(place)  # no answer
            elif place in proven and self.leaders.knows(place, node_id):
                # In an input a stranger's open transaction would hold the stable offset back though the records are in
                # the log; in `triggers` our own open one must not look like unread records.
                topic = names[place[0]]
                ends[topic, place[1]] = asked, state.lso if topic == TRIGGERS else state.highwater
            else:
                self.leaders.want(place)

    async def take(self, wanted: set[TopicPartition], timeout: float) -> dict[TopicPartition, Fetch]:
        """What has arrived of `wanted`, waiting up to `timeout` seconds for the first. Raises KafkaError."""
        deadline = time.monotonic() + timeout
        while True:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            fetches = self._arrived(wanted)
            left = deadline - time.monotonic()
            if fetches or left <= 0 or self._closed:
                return fetches
            waiter = self._create_fetch_waiter()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(waiter, left)

    def _arrived(self, wanted: set[TopicPartition]) -> dict[TopicPartition, Fetch]:
        fetches: dict[TopicPartition, Fetch] = {}
        for tp in list(self._records):
            if tp not in wanted:
                if not self._subscriptions.is_assigned(tp):
                    del self._records[tp]
                continue
            found = self._records[tp]
            if isinstance(found, fetcher.FetchError) and fetches:
                break  # said at the next call, after what came before it
            del self._records[tp]
            self._notify(self._wait_consume_future)
            if isinstance(found, fetcher.FetchError):
                found.check_raise()
            if (fetch := self._unpack(tp, found)) is not None:
                fetches[tp] = fetch
        return fetches

    def _unpack(self, tp: TopicPartition, found: fetcher.FetchResult) -> Fetch | None:
        if not found.check_assignment(tp) or not found.has_more():
            return None
        source = found._partition_records
        records: list[Record] = []
        start = position = source.next_fetch_offset
        committed = source._isolation_level == fetcher.READ_COMMITTED
        while source._records.has_next():
            batch = source._records.next_batch()
            if source._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"fetch of {tp}: wanted a log batch with a good CRC, got a bad one")
            if not self._skip(source, batch, committed):
                whole = batch.base_offset >= position
                records.extend(batch if whole else [record for record in batch if record.offset >= position])
            position = batch.next_offset
        source.next_fetch_offset = position
        found._update_position()
        source._records_iterator = None  # it refers back to its owner: each fetch would wait for the cycle collector
        found._partition_records = None
        asked, tail = self.ends.get((self.names[tp.topic], tp.partition), (0.0, 1 << 62))
        return Fetch(records, start, position, asked, tail)

    @staticmethod
    def _skip(source, batch, committed: bool) -> bool:  # type: ignore[no-untyped-def]
        """Markers, and what was aborted. Control batches count too: a fetch may begin between a record and its
        abort."""
        aborted = source._aborted_producers
        if committed:
            source._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            if committed and source._contains_abort_marker(batch):
                aborted.discard(batch.producer_id)
            return True
        return bool(committed and batch.is_transactional and batch.producer_id in aborted)
