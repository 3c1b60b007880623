"""The guards, and where each is missed: README's table. `python -m tests.faults.sim.guards` prints it."""

from collections.abc import Mapping
from typing import Final

from tests.faults.sim.ablations import ABLATIONS

BREAKS: Final = {
    "token-in-commit": (1, "chain"),
    "token-in-load": (29, "state"),
    "nonce": (29, "state"),
    "acquire-compares": (15, "ranges"),
    "offsets-from-redis": (1, "facts"),
    "cache-keeps-unsettled": (2, "state"),
    "idle-proof": (4, "at rest"),
    "revocation": (13, "revoked"),
    "timer-catch-up": (2, "timer"),
    "clock-margin": (24, "timer"),
    "deterministic-ids": (1, "id"),
    "tick-in-the-turn-record": (1, "state"),
    "times-compared": (1, "timer"),
    "trim-after-acknowledgement": (1, "dead letters"),
    "read-back": (1, "memory"),
    "known-id": (5, "refusal"),
    "read-back-takes-out": (2, "id repeated"),
    "whatever-the-trim-said": (2, "id repeated"),
    "two-sided-windows": (23, "cap"),
    "drain-first": (1, "cap"),
    "drain-gathers-triggers-only": (54, "cap"),
    "fence": (2, "id repeated"),
    "end-after-the-fence": (4, "id repeated"),
    "judge": (147, "cap"),
    "relay-waits-for-the-drain": (1, "id repeated"),
}
"""Guard -> the first seed whose history breaks without it, and one thing that is then found. All of it is printed by
`python -m tests.faults.sim --ablate all`."""


def table(breaks: Mapping[str, tuple[int, str]] = BREAKS) -> str:
    """README's table of guards."""
    lines = ["| guard | taken away | first seed that misses it | found |", "|---|---|---|---|"]
    for name, (seed, finding) in breaks.items():
        lines.append(f"| `{name}` | {meaning(name)} | {seed} | {finding} |")
    return "\n".join(lines)


def meaning(name: str) -> str:
    """What it means when a guard is taken away."""
    return (ABLATIONS[name].__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    print(table())
