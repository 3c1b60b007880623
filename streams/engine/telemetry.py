"""Who looks on: metrics and log lines. It changes nothing."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from processors.turn import Turn
from streams.engine.relay import Leaving

if TYPE_CHECKING:
    from streams.engine.worker import Worker

log = structlog.get_logger()


class Telemetry:
    """The `Watch` of a worker."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def turned(self, partition: int, turn: Turn[Any], records: int) -> None:
        pass

    def committed(self, partition: int, turn: Turn[Any]) -> None:
        pass

    def left(self, partition: int, leaving: Collection[Leaving], seconds: float) -> None:
        pass

    def began(self, partition: int, steps: Mapping[str, float]) -> None:
        log.info("term began", partition=partition, ms={name: round(s * 1000, 1) for name, s in steps.items()})

    def ended(self, partition: int, why: BaseException) -> None:
        log.warning("term ended", partition=partition, why=repr(why)[:200])

    def halted(self, partition: int, why: str) -> None:
        log.error("partition halted", partition=partition, why=why)

    def expose(self) -> bytes:
        return b""
