"""Ends the process when it lives and does nothing: Faust has ways to hang that no exception tells of.

How it works. The seam calls `alive` at each look for fetches, at least once a second while Faust's fetcher runs. A
thread of its own watches, since what hangs may be the event loop. Silence is an offence only while a broker can be
reached: Kafka away means waiting, and each failed look at it begins the count anew.
"""

import os
import socket
import threading
import time

import structlog

log = structlog.get_logger()
EXIT_HUNG = 71


class Watchdog:
    """Ends the process after `seconds` without a sign of life; `brokers`: host:port, several by commas."""

    def __init__(self, seconds: float, brokers: str) -> None:
        self._seconds = seconds
        self._brokers = [broker.strip().rsplit(":", 1) for broker in brokers.split(",")]
        self._last = time.monotonic()
        self._stopped = threading.Event()

    def alive(self) -> None:
        """The loop ticks and Faust's fetcher runs."""
        self._last = time.monotonic()

    def start(self) -> None:
        self.alive()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self._seconds / 5)):
            silent = time.monotonic() - self._last
            if silent < self._seconds / 2:
                continue
            if not self._reachable():
                self.alive()
            elif silent > self._seconds:
                log.critical("hangs", silent_seconds=round(silent), wanted_within=self._seconds)
                os._exit(EXIT_HUNG)

    def _reachable(self) -> bool:
        for host, port in self._brokers:
            try:
                with socket.create_connection((host, int(port)), timeout=1.0):
                    return True
            except OSError:
                continue
        return False
