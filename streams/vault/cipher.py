"""AES-256-GCM, twice: master keys wrap data keys, data keys seal records. Bytes in, bytes out."""

import os
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.datakey import KID, DataKey, name_of

NONCE: Final = 12
KEY_BITS: Final = 256


class Unopened(Exception):
    """These bytes were not sealed with this key, for this place."""


class UnknownMaster(Exception):
    """Another master key has wrapped it."""


class Masters:
    """The master keys: the first wraps, all unwrap."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_fingerprint(key): AESGCM(key) for key in keys}
        self._first = _fingerprint(keys[0])

    def wrap(self, name: bytes, key: bytes, now: float) -> DataKey:
        """The word about a new key."""
        return DataKey(_seal(self._keys[self._first], key, name), self._first, now)

    def unwrap(self, name: bytes, word: DataKey) -> bytes:
        """Raises UnknownMaster, Unopened."""
        if word.master not in self._keys:
            raise UnknownMaster(f"wanted the master key {word.master}; got {', '.join(self._keys)}")
        return _open(self._keys[word.master], word.wrapped, name)


class Pen:
    """One customer's data key, at work."""

    __slots__ = ("_gcm", "customer", "headers", "kid", "since")

    def __init__(self, customer: bytes, kid: bytes, key: bytes, since: float = 0.0) -> None:
        self.customer, self.kid, self.since = customer, kid, since
        """`since`: when it was last known to be good for sealing, seconds of a steady clock."""
        self.headers = [(KID, kid)]
        self._gcm = AESGCM(key)

    @property
    def name(self) -> bytes:
        return name_of(self.customer, self.kid)

    def seal(self, topic: str, value: bytes) -> bytes:
        """Nonce and what only this key opens, in this topic and for this customer."""
        return _seal(self._gcm, value, self._place(topic))

    def open(self, topic: str, sealed: bytes) -> bytes:
        """Raises Unopened."""
        return _open(self._gcm, sealed, self._place(topic))

    def _place(self, topic: str) -> bytes:
        return topic.encode() + b"\x00" + self.customer


def new_key() -> bytes:
    return AESGCM.generate_key(KEY_BITS)


def _seal(gcm: AESGCM, value: bytes, place: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + gcm.encrypt(nonce, value, place)


def _open(gcm: AESGCM, sealed: bytes, place: bytes) -> bytes:
    try:
        return gcm.decrypt(sealed[:NONCE], sealed[NONCE:], place)
    except (InvalidTag, ValueError):
        raise Unopened(f"wanted bytes sealed for this key and place; got {len(sealed)} others") from None


def _fingerprint(key: bytes) -> str:
    return sha256(b"kairos master key" + key).hexdigest()[:8]
