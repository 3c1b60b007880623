"""The servers behind the fixture `parts`, see `conftest.py`."""

from pathlib import Path

from streams.tools.guarded import Guarded, Ward
from streams.tools.parts import KINDS as RECIPES
from streams.tools.parts import Failed, Missing

KINDS = {
    "embedded": {"kafka": "tansu", "redis": "valkey"},
    "real": {"kafka": "apache", "redis": "redis-server"},
}


class Parts:
    """A Kafka and a Redis of one kind, started when first asked for. Tests may stop, kill and pause them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._guard: Guarded | None = None

    @property
    def kafka(self) -> Ward:
        """The broker; `address` is host:port."""
        return self._ward("kafka")

    @property
    def redis(self) -> Ward:
        """The store; `address` is a URL."""
        return self._ward("redis")

    @property
    def transactions(self) -> bool:
        """Has this Kafka transactions?"""
        return self.kind == "real"

    def heal(self) -> None:
        """After a test: whatever it left stopped or paused runs again."""
        if self._guard and self._guard.ended:
            self.close()
        for ward in self._guard.wards.values() if self._guard else ():
            if ward.state == "paused":
                ward.resume()
            elif ward.state != "ready":
                ward.start()

    def close(self) -> None:
        """End the servers."""
        if self._guard:
            self._guard.close()
        self._guard = None

    def _ward(self, name: str) -> Ward:
        guard = self._guard = self._guard or Guarded()
        if name not in guard.wards:
            self._start(guard, name)
        return guard.wards[name]

    def _start(self, guard: Guarded, name: str) -> None:
        try:
            guard.add({"name": name, "kind": KINDS[self.kind][name]})
        except Failed:
            self.close()  # the next test tries anew
            raise


def missing(kind: str, name: str) -> str:
    """Why this machine has not got that part, after trying to get it; empty when it has."""
    try:
        RECIPES[KINDS[kind][name]](Path()).obtain()
    except Missing as exc:
        return str(exc)
    return ""
