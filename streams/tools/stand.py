"""What a demo shows: triggers as they fire, and under them a line of rates. Plain lines where there is no terminal."""

from collections import Counter
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from schemas.trigger import Trigger
from streams.tools.triggers import line

SHOWN_A_SECOND = 4
"""Triggers told in a second; the rest is counted, or nobody could read."""
LIVE_EVERY, PLAIN_EVERY = 0.25, 5.0
"""Seconds between two looks at the rates; where there is no terminal each is a line of its own."""


class Stand:
    """One demo's screen and its figures."""

    def __init__(self, console: Console, quiet: bool) -> None:
        self.console = console
        self.fires: Counter[str] = Counter()
        """Play -> triggers."""
        self._waits: list[float] = []
        self._quiet, self._elapsed, self._told_at = quiet, 0.0, 0.0
        self._shown: Counter[int] = Counter()
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """A line of its own."""
        if not self._quiet:
            self.console.print(text, style="dim", markup=False, soft_wrap=True)

    def fired(self, trigger: Trigger, now: float) -> None:
        """Count it, and tell it unless too many came this second. The first of each play is always told."""
        self.fires[trigger.play] += 1
        if trigger.received:
            self._waits.append(now - trigger.received)
        second = int(now)
        if self.fires[trigger.play] == 1 or self._shown[second] < SHOWN_A_SECOND:
            self._shown[second] += 1
            if not self._quiet:
                self.console.print(line(trigger), soft_wrap=not self.console.is_terminal)

    def rates(self, elapsed: float, accepted: int) -> None:
        """The line of rates. `elapsed`: seconds since the shop opened."""
        self._elapsed = elapsed
        if self._quiet or elapsed - self._told_at < (LIVE_EVERY if self.console.is_terminal else PLAIN_EVERY):
            return
        self._told_at = elapsed
        text = Text(self._rates(accepted), style="bold green")
        if not self.console.is_terminal:
            return self.console.print(text, soft_wrap=True)
        if self._live is None:
            self._live = Live(text, console=self.console, refresh_per_second=4, transient=True)
            self._live.start()
        self._live.update(text)

    def close(self) -> None:
        """The live line goes; what was told stays."""
        if self._live:
            self._live.stop()
            self._live = None

    def figures(self, accepted: int) -> dict[str, Any]:
        """What `--json` prints."""
        seconds = round(self._elapsed, 1)
        return {
            "seconds": seconds,
            "events": accepted,
            "per_second": round(accepted / seconds, 1) if seconds else 0.0,
            "triggers": dict(self.fires),
            "latency_ms": {"p50": self._wait(0.5), "p99": self._wait(0.99)},
        }

    def _rates(self, accepted: int) -> str:
        told = self.figures(accepted)
        wait = told["latency_ms"]
        waits = f"   event to trigger p50 {wait['p50']:g} ms, p99 {wait['p99']:g} ms" if self._waits else ""
        rates = f"{told['seconds']:5.1f} s   {accepted:,} events, {told['per_second']:,.0f}/s"
        return f"{rates}   {self.fires.total():,} triggers{waits}"

    def _wait(self, share: float) -> float:
        """Milliseconds from the collector's receipt to the trigger in our hands, of those an event led to."""
        waits = sorted(self._waits)
        return round(waits[int(len(waits) * share)] * 1000, 1) if waits else 0.0
