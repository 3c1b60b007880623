"""Write keys: where a request may carry one, which source and rights it has, and how fast it may send."""

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from streams.settings import WriteKey


@dataclass(slots=True)
class Key:
    """A write key in use: what it is bound to, and the events it may still send (below zero: a debt to wait off)."""

    secret: bytes
    source: str
    server: bool
    rate: float
    credit: float = 0.0
    since: float = field(default_factory=time.monotonic)


class Keyring:
    """All write keys of this collector."""

    def __init__(self, keys: Iterable[WriteKey], rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = [Key(k.key.encode(), k.source, k.kind == "server", rate, rate, clock()) for k in keys]
        self._clock = clock

    def find(self, secret: str) -> Key | None:
        """The key of this secret. Looks at all of them in constant time, so the answer's time tells nothing."""
        given, found = secret.encode("utf-8", "surrogatepass"), None
        for key in self._keys:
            if hmac.compare_digest(key.secret, given):
                found = key
        return found

    def wait(self, key: Key) -> float:
        """Seconds until this key may send again; 0: now."""
        if not key.rate:
            return 0.0
        now = self._clock()
        key.credit = min(key.rate, key.credit + (now - key.since) * key.rate)
        key.since = now
        return 0.0 if key.credit > 0 else (1.0 - key.credit) / key.rate

    def charge(self, key: Key, events: int) -> None:
        """Take these events off the key's credit. It may go below zero: no batch is too large to ever pass."""
        key.credit -= events


class Prover:
    """Believes an identity token: the HMAC-SHA256 of a userId, in hexadecimal. The shop's server makes it for who is
    logged in."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def __call__(self, customer: str, token: str) -> bool:
        if not self._secret:
            return False
        proof = hmac.new(self._secret, customer.encode(), "sha256").hexdigest()
        return hmac.compare_digest(proof.encode(), token.encode("utf-8", "surrogatepass"))


def named_key(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The secret a request names outside its body: Basic user name, X-Write-Key, ?writeKey=; empty when none."""
    given = headers.get("Authorization", "")
    if given[:6].lower() == "basic " and (user := _user(given[6:])):
        return user
    return headers.get("X-Write-Key", "") or query.get("writeKey", "")


def _user(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
