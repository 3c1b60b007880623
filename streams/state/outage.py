"""Which errors of Redis pass by themselves, and what the log says meanwhile.

One line when it goes away, one when it is back, however many calls wait.
"""

import time

import structlog
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TimeoutError,
    TryAgainError,
)

log = structlog.get_logger()

PASSING = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,  # a primary that was demoted
    ClusterError,  # CLUSTERDOWN and MASTERDOWN among them
    TryAgainError,
    OSError,
)
PASSING_WORDS = ("BUSY ", "MISCONF ", "NOREPLICAS ")  # first words of errors redis-py has no class for
NEVER = (AuthenticationError, AuthorizationError)  # redis-py counts them as connection errors


def passes(error: BaseException) -> bool:
    """Whether the same call may get another answer later."""
    if isinstance(error, RedisClusterException):  # the client found no cluster; the cause says whether there is one
        return passes(error.__cause__) if error.__cause__ else "Cluster mode is not enabled" not in str(error)
    if isinstance(error, NEVER):
        return False
    return isinstance(error, PASSING) or str(error).startswith(PASSING_WORDS)


class Outage:
    """The time in which calls wait for Redis.

    It ends when a call is answered and none waits: in a cluster one shard may be away while others answer.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._waiting = 0
        self._since: float | None = None
        self._reasons: set[str] = set()

    def wait(self) -> None:
        self._waiting += 1
        self._since = self._since or time.monotonic()

    def leave(self) -> None:
        self._waiting -= 1

    def explain(self, call: str, error: BaseException) -> None:
        """Log each reason once."""
        reason = type(error).__name__
        if reason not in self._reasons:
            self._reasons.add(reason)
            log.warning("redis away, calls wait", address=self.address, call=call, reason=reason, error=str(error))

    def answered(self) -> None:
        if self._since is not None and not self._waiting:
            seconds = round(time.monotonic() - self._since, 3)
            log.info("redis back", address=self.address, seconds=seconds, reasons=sorted(self._reasons))
            self._since = None
            self._reasons.clear()
