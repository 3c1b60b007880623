"""Where the fetches of one partition wait for their turn: positions, and nothing but arithmetic on them.

A fetch is taken only where the last one ended; an overlap is cut, what was seen is dropped, and over a gap the caller
is told where to seek back to. So stale, doubled and lost fetches need no generation and no acknowledgement.
"""

import asyncio
from collections import deque
from collections.abc import Mapping

from schemas.topics import INPUTS
from streams.engine.fetch import Ends, Fetch

RANK = {topic: rank for rank, topic in enumerate(INPUTS)}
Batch = tuple[str, Fetch]


class Inbox:
    """Fetches of one partition in one term. All positions are per topic; times are seconds since the epoch."""

    def __init__(self, partition: int, positions: Mapping[str, int], ends: Ends) -> None:
        self.partition = partition
        self.expected = dict(positions)
        """Where the next fetch of a topic must begin."""
        self.gathered = dict(positions)
        """Up to where a turn has taken."""
        self.reached = dict.fromkeys(positions, 0.0)
        """All that was in the topic at this time has been gathered."""
        self.waiting = 0
        """Records not yet gathered."""
        self.arrived = asyncio.Event()
        self._ends = ends
        self._queue: deque[Batch] = deque()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def put(self, topic: str, fetch: Fetch) -> int | None:
        """Take a fetch in. Answers the position to seek back to when something before it is missing."""
        expected = self.expected.get(topic)
        if expected is None or fetch.end <= expected:
            return None
        if fetch.start > expected:
            return expected
        if fetch.start < expected:
            fetch = fetch.after(expected)
        self.expected[topic] = fetch.end
        self._queue.append((topic, fetch))
        self.waiting += len(fetch.records)
        self.arrived.set()
        return None

    def take(self, most: int) -> list[Batch]:
        """Up to about `most` records, in the order of a turn: topics as `INPUTS` has them, each by offset."""
        batches: list[Batch] = []
        size = 0
        while self._queue and size < most:
            topic, fetch = self._queue.popleft()
            batches.append((topic, fetch))
            size += len(fetch.records)
            self.gathered[topic] = fetch.end
            if fetch.end >= fetch.tail:
                self.reached[topic] = max(self.reached[topic], fetch.asked)
        self.waiting -= size
        batches.sort(key=lambda batch: RANK[batch[0]])  # stable: within a topic by offset
        return batches

    def caught_up(self) -> float:
        """All that was in every topic at this time has been gathered."""
        for topic, position in self.gathered.items():
            asked, tail = self._ends.get((topic, self.partition), (0.0, 1 << 62))
            if position >= tail and asked > self.reached[topic]:
                self.reached[topic] = asked
        return min(self.reached.values())

    def lag(self, topic: str) -> int:
        """Positions between what was gathered of a topic and where its log ended when last asked."""
        position = self.gathered[topic]
        _, tail = self._ends.get((topic, self.partition), (0.0, position))
        return max(0, tail - position)
