"""One request: gather key and body, decide by the wire what it holds, commit it to Kafka. Only then is it a success."""

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web
from msgspec import Struct

from schemas import wire
from schemas.datakey import sealable
from streams.collector import answers
from streams.collector.body import Budget, read_body, unpacked
from streams.collector.keys import Key, Keyring, Prover, named_key
from streams.collector.producer import Producer
from streams.collector.round import Letter, NotTaken
from streams.kafka import Unavailable
from streams.metrics import Metrics
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.vault.cipher import Pen
    from streams.vault.vault import Vault

LETTER_BYTES: Final = 65_536
"""Of an event or a body that is not taken, the first so many bytes are kept."""


class Begun(Struct, frozen=True):
    """A request on its way to Kafka."""

    future: asyncio.Future[None]
    records: list[wire.Record]
    source: str
    held: int
    """Bytes of the budget."""


class Intake:
    """Takes in requests of one kind after another; knows nothing of routes."""

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        producer: Producer,
        metrics: Metrics,
        vault: "Vault | None" = None,
    ) -> None:
        """`vault`: seals what leaves; None: it leaves as it came."""
        self._vault = vault
        self._settings, self._keyring, self._producer, self._metrics = settings, keyring, producer, metrics
        self._prover = Prover(settings.identity_secret)
        self._budget = Budget(settings.inflight_bytes, metrics("inflight_bytes"))
        self._log = structlog.get_logger()

    async def take(self, request: web.BaseRequest, type: str, historical: bool = False) -> None:
        """All events of a request into Kafka; `type` is empty for a batch. Raises Refused."""
        key = self._named(request)
        limit = self._settings.batch_bytes
        held = self._budget.take(min(request.content_length or limit, limit))
        try:
            body = await read_body(request, limit)
            if len(body) > held:
                held += self._budget.take(len(body) - held)
            calls, key = await self._read(body, type, key)
            self._keyring.charge(key, len(calls))
            sent = request.headers.get("SentAt")
            sender = wire.Sender(time.time(), key.source, key.server, _make_id, historical, sent, self._prover)
            await self._commit(*wire.convert(calls, sender), key.source)
        finally:
            self._budget.give(held)

    def may(self, secret: str) -> bool:
        """Whether it is worth waiting for a body that comes with this key: else it is refused before."""
        return not secret or self._keyring.find(secret) is not None

    def begin(self, secret: str, sent: str | None, body: bytes, type: str, historical: bool) -> Begun | None:
        """A whole request at once, for who asks for its end. None: nothing was done, it must be taken."""
        if self._vault is not None or len(body) > self._settings.batch_bytes or self._producer.trouble:
            return None
        held, begun = 0, None
        try:
            held = self._budget.take(len(body))
            begun = self._begun(secret, sent, body, type, historical)
        except Exception:  # whatever it is, who takes it meets it too, and answers for it
            return None
        finally:
            if begun is None:
                self._budget.give(held)
        return begun

    def _begun(self, secret: str, sent: str | None, body: bytes, type: str, historical: bool) -> Begun | None:
        settings = self._settings
        key = self._allowed(secret) if secret else None
        size, body = len(body), unpacked(body, settings.batch_bytes)
        if type:
            calls = wire.read_call(body, type, settings.event_bytes)
        else:
            calls = wire.read_batch(body, settings.event_bytes, settings.batch_events)
        key = key or self._allowed(calls.write_key)
        sender = wire.Sender(time.time(), key.source, key.server, _make_id, historical, sent, self._prover)
        records, bad = wire.convert(calls, sender)
        if bad or not records:
            return None
        begun = Begun(self._producer.put(records), records, key.source, size)
        self._keyring.charge(key, len(calls))
        return begun

    def end(self, begun: Begun) -> answers.Refused | None:
        """What was begun is done: counted, or why it is not."""
        self._budget.give(begun.held)
        fault = begun.future.exception()
        if fault is None:
            self._count(begun.records, begun.source)
            return None
        if not isinstance(fault, NotTaken | Unavailable):
            raise fault
        refused = answers.unavailable("unavailable", str(fault))
        self._metrics("requests_refused_total", refused.code).inc()
        return refused

    def _named(self, request: web.BaseRequest) -> Key | None:
        """The key outside the body, if there is one. A wrong one is refused before the body is read."""
        secret = named_key(request.headers, request.query if "?" in request.raw_path else {})
        return self._allowed(secret) if secret else None

    def _allowed(self, secret: str) -> Key:
        key = self._keyring.find(secret)
        if key is None:
            raise answers.unauthorized()
        if wait := self._keyring.wait(key):
            raise answers.Refused(429, "rate", "too many events from this write key", wait)
        return key

    async def _read(self, body: bytes, type: str, key: Key | None) -> tuple[wire.Calls, Key]:
        """What the body holds, and the key it comes with. Raises Refused."""
        settings = self._settings
        try:
            if type:
                calls = wire.read_call(body, type, settings.event_bytes)
            else:
                calls = wire.read_batch(body, settings.event_bytes, settings.batch_events)
        except wire.Fault as fault:
            if key is None:  # whoever it is has shown no key: nothing is kept
                raise _refused(fault) from None
            self._log.warning("body refused", source=key.source, reason=fault.reason, bytes=len(body))
            await self._commit([], [wire.Bad(fault, body, None)], key.source)
            raise _refused(fault) from None
        if key is None:
            key = self._allowed(calls.write_key)
        return calls, key

    async def _commit(self, records: list[wire.Record], bad: list[wire.Bad], source: str) -> None:
        """Everything into Kafka, acknowledged; then counted."""
        if not records and not bad:
            return
        try:
            letters = [_letter(item, source) for item in bad]
            if self._vault is None:
                await self._producer.put(records, letters)
            else:
                await self._producer.put(records, letters, await self._pens(records, letters))
        except (NotTaken, Unavailable) as exc:
            raise answers.unavailable("unavailable", str(exc)) from None
        self._count(records, source)
        for item in bad:
            self._metrics("dead_letters_total", "http", item.fault.reason).inc()

    def _count(self, records: list[wire.Record], source: str) -> None:
        topics = [topic for topic, _, _ in records]
        for topic in {*topics}:
            self._metrics("events_received_total", source, topic).inc(topics.count(topic))

    async def _pens(self, records: list[wire.Record], letters: list[Letter]) -> "dict[bytes, Pen]":
        """What seals them. A body nobody can be named for stays as it is. Raises NotTaken, Unavailable."""
        if self._producer.trouble:  # else each request would wait for a Kafka that is away
            raise NotTaken(self._producer.trouble)
        assert self._vault
        named = (letter for letter, _, _ in letters if letter is not None and sealable(letter))
        return await self._vault.pens([*(key for _, key, _ in records), *named])


def _letter(bad: wire.Bad, source: str) -> Letter:
    fault = bad.fault
    headers = [
        ("reason", fault.reason.encode()),
        ("detail", str(fault)[:512].encode()),
        ("place", b"http"),
        ("source", source.encode()),
    ]
    return bad.customer, bad.raw[:LETTER_BYTES], headers


def _refused(fault: wire.Fault) -> answers.Refused:
    if fault.reason == wire.OVERSIZE:
        return answers.oversize(str(fault))
    return answers.Refused(400, "unparsable", str(fault))


def _make_id() -> str:
    return str(uuid.uuid4())
