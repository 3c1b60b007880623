"""Sealed logs, opened by a reader of its own: who has the master keys and the topic `keys` sees what workers saw."""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from tests.faults.verifier.evidence import Entry, Evidence, Log

Words = Mapping[bytes, dict[str, Any]]
"""Customer, NUL, key id -> what was last said of that key."""


class Unsealer:
    """Opens logs with these master keys."""

    def __init__(self, masters: Sequence[bytes], words: Words) -> None:
        self._masters = {sha256(b"kairos master key" + key).hexdigest()[:8]: AESGCM(key) for key in masters}
        self._words = words

    def unseal(self, evidence: "Evidence") -> None:
        """Put what was sealed back as it was; what nobody can read any more is only counted, and what does not open
        stays as it is."""
        evidence.keys = dict(self._words)
        for (topic, _), log in evidence.logs.items():
            self._log(evidence, topic, log)

    def _log(self, evidence: "Evidence", topic: str, log: "Log") -> None:
        entries = []
        for entry in log.entries:
            kid = dict(entry.headers).get("kid")
            name = (entry.key or b"") + b"\x00" + (kid or b"")
            word = {"shredded": 1} if kid == b"-" else self._words.get(name)
            if kid is None:
                entries.append(entry)
            elif word is None:
                evidence.keyless.append(f"{topic}/{entry.offset}: {name!r}")
            elif "shredded" in word:
                log.shredded.append(entry.key or b"")
            else:
                entries.append(self._opened(topic, entry, name, word))
        log.entries = entries

    def _opened(self, topic: str, entry: "Entry", name: bytes, word: dict[str, Any]) -> "Entry":
        wrapped, value = base64.b64decode(word["wrapped"]), entry.value or b""
        key = AESGCM(self._masters[word["master"]].decrypt(wrapped[:12], wrapped[12:], name))
        try:
            plain = key.decrypt(value[:12], value[12:], topic.encode() + b"\x00" + (entry.key or b""))
        except (InvalidTag, ValueError):
            return entry
        headers = tuple(header for header in entry.headers if header[0] != "kid")
        return entry._replace(value=plain, headers=headers)


def last_words(entries: "Sequence[Entry]") -> Words:
    """Of the topic `keys`."""
    return {entry.key: json.loads(entry.value) for entry in entries if entry.key and entry.value}
