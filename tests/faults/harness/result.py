"""What a scenario is, and what came of one run of it."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.faults.harness.load import Habits

if TYPE_CHECKING:
    from tests.faults.harness.run import Run


@dataclass
class Scenario:
    """What is done to an installation, and what must be seen of it."""

    name: str
    play: Callable[["Run"], Awaitable[None]]
    must_see: tuple[str, ...] = ()
    """Keys of `seen` without which the run proves nothing."""
    kafka: str = "one"
    habits: Habits = field(default_factory=Habits)
    settings: dict[str, object] = field(default_factory=dict)
    cut: bool = False
    """It loses records for good, and says so: then nothing is folded again."""


@dataclass
class Result:
    """What a run was, and what came of it."""

    scenario: str
    seed: int
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    figures: dict[str, int] = field(default_factory=dict)
    violations: dict[str, Any] = field(default_factory=dict)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    """What was recovered from -> seconds until all that was in the logs then had been applied."""
    vacuous: list[str] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds at which each was over."""
    error: str = ""
    """Why there is no verdict."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """As a run has left it."""
        kept = json.loads(path.read_text())
        return cls(**kept | {name: Counter(kept[name]) for name in ("faults", "seen")})

    @property
    def good(self) -> bool:
        return not (self.violations or self.error)

    def line(self) -> str:
        verdict = "good" if self.good else "VIOLATED" if self.violations else "ERROR"
        verdict += " but vacuous: no " + ", ".join(self.vacuous) if self.good and self.vacuous else ""
        told = [f"{verdict}  {self.scenario} seed {self.seed}  {self.seconds:.1f} s"]
        told += [f"{name} {count}" for name, count in (self.faults + self.seen).items()]
        told += [f"{what} back in {', '.join(f'{s:.1f}' for s in times)} s" for what, times in self.recoveries.items()]
        told += [f"\n    {kind}: {found}" for kind, found in self.violations.items()]
        return "; ".join(told) + (f"\n    {self.error}" if self.error else "")
