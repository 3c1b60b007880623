"""Who looks on: metrics and log lines. It changes nothing."""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from processors.turn import Turn
from schemas.topics import INPUTS, TRIGGERS
from streams.engine.relay import Leaving
from streams.metrics import ENGINE, Metrics

if TYPE_CHECKING:
    from streams.engine.worker import Worker

log = structlog.get_logger()


class Telemetry:
    """The `Watch` of a worker."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._metrics = Metrics(ENGINE)
        self._counted: Counter[str] = Counter()
        """What commits counted since somebody looked: there are many, and who looks is seldom."""

    def turned(self, partition: int, turn: Turn[Any], records: int) -> None:
        self._metrics("turn_records").observe(records)
        for fault in turn.faults:
            self._metrics("faults_total", fault.topic, fault.cause).inc()

    def committed(self, partition: int, turn: Turn[Any], seconds: float) -> None:
        self._metrics("commit_seconds").observe(seconds)
        for name, count in turn.counts.items():
            if count > 0:
                self._counted[name] += count
        if turn.revoked:
            self._metrics("revoked_total").inc(len(turn.revoked))

    def left(self, partition: int, leaving: Collection[Leaving], seconds: float) -> None:
        self._metrics("relay_seconds").observe(seconds)
        now = time.time()
        for _, message in leaving:
            if message.since and message.topic == TRIGGERS:
                self._metrics("event_to_trigger_seconds").observe(max(0.0, now - message.since))

    def keys(self, outcome: str, many: int) -> None:
        """Told by the vault."""
        self._metrics("data_keys_total", outcome).inc(many)

    def began(self, partition: int, steps: Mapping[str, float]) -> None:
        self._metrics("terms_total").inc()
        self._metrics("term_begin_seconds").observe(sum(steps.values()))
        log.info("term began", partition=partition, ms={name: round(s * 1000, 1) for name, s in steps.items()})

    def ended(self, partition: int, why: BaseException) -> None:
        self._metrics("terms_ended_total", type(why).__name__).inc()
        log.warning("term ended", partition=partition, why=repr(why)[:300])

    def halted(self, partition: int, why: str) -> None:
        log.error("partition halted", partition=partition, why=why)

    def expose(self) -> bytes:
        """What Prometheus scrapes: what was counted, and how things stand."""
        self._tell_counts()
        partitions = self._worker.partitions.values()
        self._metrics("partitions", "assigned").set(len(partitions))
        self._metrics("partitions", "ready").set(sum(p.ready for p in partitions))
        self._metrics("partitions", "halted").set(sum(bool(p.halted and not p.ready) for p in partitions))
        self._metrics("outbox_waiting").set(sum(len(p.term.relay) for p in partitions if p.term))
        for topic in INPUTS:
            self._metrics("lag_records", topic).set(sum(p.term.inbox.lag(topic) for p in partitions if p.term))
        oldest = min((p.term.inbox.caught_up() for p in partitions if p.term), default=0.0)
        self._metrics("caught_up_seconds").set(max(0.0, time.time() - oldest) if oldest else 0.0)
        return self._metrics.expose()[0]

    def _tell_counts(self) -> None:
        for name, count in self._counted.items():
            kind, _, rest = name.partition(":")
            first, _, second = rest.partition(":")
            if kind in ("applied", "duplicate", "erased"):
                self._metrics("events_total", first, kind).inc(count)
            elif kind == "trigger":
                self._metrics("triggers_total", first).inc(count)
            elif kind == "refused":
                self._metrics("refusals_total", first, second).inc(count)
            elif kind == "timer":
                self._metrics("timers_total", first).inc(count)
        self._counted.clear()
