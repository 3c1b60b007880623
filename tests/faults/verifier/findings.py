"""What was found: violations by kind with the first counter-example of each, and figures that are no verdict."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Findings:
    """Nothing in `violations` means that every check held."""

    violations: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    """Kind -> its first counter-example."""
    figures: Counter[str] = field(default_factory=Counter)

    def wrong(self, kind: str, example: object, times: int = 1) -> None:
        self.violations[kind] += times
        self.first.setdefault(kind, str(example)[:600])

    @property
    def clean(self) -> bool:
        return not self.violations

    def report(self) -> dict[str, Any]:
        """For machines: one object."""
        kinds = {k: {"count": n, "first": self.first[k]} for k, n in sorted(self.violations.items())}
        return {"clean": self.clean, "violations": kinds, "figures": dict(sorted(self.figures.items()))}

    def __str__(self) -> str:
        lines = ["  ".join(f"{name} {n:,}" for name, n in sorted(self.figures.items()))]
        lines += [f"VIOLATED {kind}: {n:,}, first: {self.first[kind]}" for kind, n in sorted(self.violations.items())]
        return "\n".join([*lines, "every check holds" if self.clean else f"{len(self.violations)} checks do not hold"])
