"""What a way out must offer, and the account it keeps: every item read is accepted or rejected, with its reason."""

from typing import Protocol

from msgspec import Struct

from streams.tools.replay.rows import Bad, Call, Row

REASONS_MOST = 10
"""Rejected rows told one by one."""


class Stopped(Exception):
    """The way out is shut: the key is wrong, or nobody answered for too long. Not all read is accounted for."""


class Tally(Struct):
    """The books of one replay, while it runs."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    reasons: list[Bad] = []

    def reject(self, bad: Bad) -> None:
        """One item that did not get through."""
        self.rejected += 1
        if len(self.reasons) < REASONS_MOST:
            self.reasons.append(bad)

    @property
    def unanswered(self) -> int:
        """Sent, and nobody said what became of it."""
        return self.read - self.accepted - self.rejected

    def books(self, seconds: float) -> dict[str, int | float]:
        """What `--json` prints."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "seconds": round(seconds, 3),
            "per_second": round(self.accepted / seconds, 1) if seconds else 0.0,
        }


class Sender(Protocol):
    """A way out. It counts into its tally what was accepted and rejected; order is kept for each customer."""

    async def put(self, item: Row | Call) -> None:
        """Send it some time soon; waits while there is no room. Raises Stopped."""

    async def finish(self, patience: float | None = None) -> None:
        """Until all is answered, or patience ends (seconds). Raises Stopped."""

    async def close(self) -> None: ...
