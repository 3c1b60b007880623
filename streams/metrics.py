"""Metrics as one table of data, and the machinery that makes Prometheus metrics of it.

`python -m streams.metrics` prints README's table; a test compares the two. Labels are bounded: never a customer, a
message or a URL. A process builds one `Metrics` over a registry of its own; nothing here is shared or made at import.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

PREFIX: Final = "kairos_"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets of histograms of seconds."""


class Metric(NamedTuple):
    """One row. The name stands without the prefix."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


DATA_KEYS: Final = Metric("data_keys_total", "counter", ("outcome",), "customers' data keys: made, shredded")

COLLECTOR: Final = (
    Metric("http_request_seconds", "histogram", ("route", "code"), "time to answer a request of the collector"),
    Metric("requests_refused_total", "counter", ("reason",), "requests answered with an error"),
    Metric("events_received_total", "counter", ("source", "topic"), "events acknowledged by Kafka"),
    Metric("dead_letters_total", "counter", ("place", "reason"), "events sent to the dead-letter topic"),
    Metric("produce_seconds", "histogram", (), "time until Kafka acknowledged a round of batches"),
    Metric("produce_failures_total", "counter", ("reason",), "rounds of batches that Kafka did not acknowledge"),
    Metric("produce_records", "histogram", (), "records in a round of batches"),
    DATA_KEYS,
    Metric("inflight_bytes", "gauge", (), "bytes of requests that wait for Kafka"),
    Metric("kafka_ready", "gauge", (), "1: Kafka answers and has all topics; 0: the collector answers 503"),
)
"""What a collector counts."""

ENGINE: Final = (
    Metric(
        "events_total",
        "counter",
        ("topic", "outcome"),
        "events: applied, duplicate and dropped, or of an erased customer",
    ),
    Metric("faults_total", "counter", ("topic", "cause"), "records that became dead letters"),
    Metric("triggers_total", "counter", ("play",), "triggers decided"),
    Metric("refusals_total", "counter", ("play", "policy"), "proposals refused, by the policy that refused"),
    Metric("timers_total", "counter", ("outcome",), "silences: armed, fired, cancelled"),
    Metric(
        "revoked_total",
        "counter",
        (),
        "waiting triggers taken back, by a new term or an erasure",
    ),
    Metric("event_to_trigger_seconds", "histogram", (), "from taking an event in to Kafka having its trigger"),
    Metric("turn_records", "histogram", (), "records in a turn"),
    Metric("commit_seconds", "histogram", (), "from sending a turn's commit to its answer being taken up"),
    Metric("relay_seconds", "histogram", (), "time until Kafka acknowledged a batch of triggers"),
    DATA_KEYS,
    Metric("terms_total", "counter", (), "terms begun"),
    Metric("terms_ended_total", "counter", ("why",), "terms ended, by the exception that ended them"),
    Metric("term_begin_seconds", "histogram", (), "from acquiring a partition to serving it"),
    Metric("partitions", "gauge", ("state",), "partitions of this worker: assigned, ready, halted"),
    Metric("outbox_waiting", "gauge", (), "triggers and dead letters that wait for Kafka"),
    Metric("lag_records", "gauge", ("topic",), "records in the logs of this worker's partitions not yet gathered"),
    Metric("caught_up_seconds", "gauge", (), "age of the moment up to which every log has been read"),
)
"""What a worker counts."""

API: Final = (
    Metric("api_request_seconds", "histogram", ("route", "code"), "time to answer a request of the profile API"),
    Metric("erasures_total", "counter", (), "erasures put into the logs"),
)
"""What a profile API counts."""

ALL: Final = COLLECTOR + tuple(row for row in ENGINE if row not in COLLECTOR) + API

_KINDS: Final = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
_COUNTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


class Metrics:
    """The metrics of one process. `metrics("name", "label", ...)` is the bound child, made once."""

    def __init__(self, rows: Sequence[Metric]) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._metrics = {row.name: self._build(row) for row in rows}
        self._child = cache(self._make)

    def __call__(self, name: str, *labels: str) -> Any:
        return self._child(name, *labels)

    def expose(self) -> tuple[bytes, str]:
        """What Prometheus scrapes, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _build(self, row: Metric) -> Any:
        options: dict[str, Any] = {}
        if row.kind == "histogram":
            options["buckets"] = SECONDS if row.name.endswith("_seconds") else _COUNTS
        return _KINDS[row.kind](PREFIX + row.name, row.help, row.labels, registry=self.registry, **options)

    def _make(self, name: str, *labels: str) -> Any:
        return self._metrics[name].labels(*labels) if labels else self._metrics[name]


def table(rows: Sequence[Metric] = ALL) -> str:
    """README's table of metrics."""
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    lines += [f"| `{PREFIX}{r.name}` | {r.kind} | {', '.join(r.labels)} | {r.help} |" for r in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
