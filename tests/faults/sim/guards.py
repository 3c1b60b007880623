"""The guards, and where each is missed: README's table. `python -m tests.faults.sim.guards` prints it."""

from collections.abc import Mapping
from typing import Final

from tests.faults.sim.ablations import ABLATIONS

BREAKS: Final = {
    "token-in-commit": (2, "chain"),
    "token-in-load": (42, "state"),
    "nonce": (4, "state"),
    "acquire-compares": (2, "ranges"),
    "offsets-from-redis": (1, "facts"),
    "cache-keeps-unsettled": (2, "state"),
    "idle-proof": (17, "at rest"),
    "revocation": (14, "revoked"),
    "timer-catch-up": (1, "timer"),
    "clock-margin": (511, "timer"),
    "deterministic-ids": (1, "id"),
    "tick-in-the-turn-record": (1, "state"),
    "times-compared": (3, "occurrence"),
    "trim-after-acknowledgement": (2, "books"),
    "read-back": (1, "memory"),
    "known-id": (5, "refusal"),
    "read-back-takes-out": (1, "id repeated"),
    "whatever-the-trim-said": (10, "id repeated"),
    "two-sided-windows": (8, "cap"),
    "drain-first": (1, "cap"),
    "drain-gathers-triggers-only": (52, "cap"),
    "fence": (1, "id repeated"),
    "end-after-the-fence": (2, "id repeated"),
    "judge": (197, "cap"),
    "relay-waits-for-the-drain": (2, "id repeated"),
    "newer-part": (1, "heard"),
    "told-once": (49, "heard"),
    "marker-once": (224, "standing"),
    "sent-is-told": (1, "told"),
    "silences-are-told": (3, "occurrence"),
    "owner-before-is-told": (4, "persons"),
    "caps-of-the-person": (2, "cap of a person"),
    "marker-in-each-log": (1, "linked"),
    "owned-stands-nowhere": (2, "standing"),
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
