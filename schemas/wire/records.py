"""Calls -> records: topic, key (the customer) and value of what goes to Kafka; or a fault that names its field."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from schemas.event import IDENTIFIED, PAGE, SCREEN, Event, encode_event
from schemas.identity import ANONYMOUS, Link
from schemas.topics import CLICKSTREAM, FEEDBACK
from schemas.trigger import Feedback, encode_feedback
from schemas.wire import commerce, names
from schemas.wire.calls import Call, Calls, Context
from schemas.wire.links import greatest, links_of, plain
from schemas.wire.person import channel_of, device_of, traits_of
from schemas.wire.values import (
    FORBIDDEN,
    TIME_MOST,
    Fault,
    identifier,
    instant,
    kind,
    text,
)

CLAMP: Final = 86_400.0
"""An event is at most so old when it is received; older times are a clock gone wrong, or spoofed."""
ID_MOST: Final = 100
"""Characters of a messageId."""

Record = tuple[str, bytes, bytes]
"""Topic, key, value."""


class Sender(Struct, frozen=True):
    """What the collector knows of a request, from outside its body."""

    received: float
    """Seconds since the epoch."""
    source: str
    """The write key's."""
    server: bool
    """Whether the key is a server's."""
    make_id: Callable[[], str]
    """For events that bring none."""
    historical: bool = False
    """An import: a server key's times are kept as given."""
    sent_at: str | None = None
    """From a header."""
    proves: Callable[[str, str], bool] = lambda customer, token: False
    """Whether a token shows that this userId is logged in: then a browser may link its anonymousId."""


class Bad(Struct):
    """An event that is not taken."""

    fault: Fault
    raw: bytes
    customer: bytes | None


def convert(calls: Calls, sender: Sender) -> tuple[list[Record], list[Bad]]:
    """All events of a request in their order, and those not taken."""
    records: list[Record] = []
    bad: list[Bad] = []
    clock = _Clock(calls, sender)
    shared = calls.context
    for index, item in enumerate(calls.items):
        try:
            if isinstance(item, Fault):
                raise item
            records.append(_record(item, shared, sender, clock))
        except Fault as fault:
            bad.append(Bad(fault, calls.raw(index), _customer_of(item)))
    return records, bad


class _Clock:
    """The sender's clock, corrected by ours: `received - (sentAt - timestamp)`, then bounded."""

    __slots__ = ("_kept", "_oldest", "_received", "_skew")

    def __init__(self, calls: Calls, sender: Sender) -> None:
        self._received, self._oldest = sender.received, sender.received - CLAMP
        self._kept = sender.historical and sender.server
        sent = calls.sent_at if calls.sent_at is not None else sender.sent_at
        self._skew = self._ahead(sent) if sent is not None else 0.0

    def _ahead(self, sent: Any) -> float:
        """How much later our clock shows than the sender's; a sentAt nobody can read is none."""
        try:
            moment = instant(sent, "sentAt")
        except Fault:
            return 0.0
        return self._received - moment if moment is not None else 0.0

    def time(self, call: Call) -> float:
        """When it happened, seconds since the epoch."""
        given = call.timestamp if call.original_timestamp is None else call.original_timestamp
        moment = None if given is None else instant(given, "timestamp")
        if moment is None:
            return self._received
        if self._kept:
            if not 0.0 <= moment <= TIME_MOST:
                raise Fault("timestamp", "wanted a time after 1970")
            return min(moment, self._received)
        moment += self._skew if call.sent_at is None else self._ahead(call.sent_at)
        if moment > self._received:
            return self._received
        return moment if moment > self._oldest else self._oldest


def _record(call: Call, shared: Context | None, sender: Sender, clock: _Clock) -> Record:
    context = call.context
    if type(context) is not Context or shared is not None:
        context = _context(context, shared)
    customer, anonymous, links = _ids(call, context, sender)
    route = names.ROUTED.get(call.event) if call.type == "track" else None  # type: ignore[arg-type]
    name, topic = route or _named(call)
    if not sender.server and (topic in names.SERVER_ONLY or call.type == "alias"):
        raise Fault("event", f"wanted a server key for {name}, got a browser key", FORBIDDEN)
    properties = call.properties
    if type(properties) is not dict:
        properties = _object(properties, "properties")
    id = identifier(call.message_id, "messageId") or sender.make_id()
    if len(id) > ID_MOST:
        raise Fault("messageId", f"wanted at most {ID_MOST} characters, got {len(id)}")
    time = clock.time(call)
    if topic == FEEDBACK:
        return topic, customer.encode(), encode_feedback(_feedback(id, name, time, properties, sender))
    if call.type != "track":
        anonymous = _place(call, properties, anonymous)
    channel = channel_of(call, context, properties.get("channel"), sender.source)
    event = _event(id, name, time, sender, anonymous, channel, properties)
    if context.device is not None or context.os is not None:
        event.device = device_of(context)
    if context.session_id is not None:
        event.session = text(context.session_id)
    if call.type != "group":
        event.traits = traits_of(call, context)
    if links:
        event.links = links
    return topic, customer.encode(), encode_event(event)


def _ids(call: Call, context: Context, sender: Sender) -> tuple[str, str, list[Link]]:
    """The customer's key, the anonymousId beside it, and what else is linked."""
    customer = identifier(call.user_id, "userId")
    anonymous = "" if call.anonymous_id is None else identifier(call.anonymous_id, "anonymousId")
    links: list[Link] = []
    if sender.server:
        if context.external_ids is not None or context.related is not None:
            links = _named_beside(context)
        customer = customer or greatest(links)
    elif customer:
        plain(customer, "userId")
        token = context.identity_token
        if anonymous and type(token) is str and sender.proves(customer, token):
            links = [Link(ANONYMOUS, anonymous, "token")]
        anonymous = ""
    if not customer:
        customer, anonymous = anonymous, ""
        if not sender.server:
            plain(customer, "anonymousId")
    if not customer:
        raise Fault("userId", "wanted userId or anonymousId, got neither")
    return customer, anonymous, links


def _named_beside(context: Context) -> list[Link]:
    """Ids of the customer, then those of persons near."""
    near = links_of(context.related, "context.related")
    if not all(link.relation for link in near):
        raise Fault("context.related", "wanted a relation of each, as child")
    return [*links_of(context.external_ids, "context.externalIds"), *near]


def _event(
    id: str, name: str, time: float, sender: Sender, anonymous: str, channel: str, properties: dict[str, Any]
) -> Event:
    """An event of these properties; what they tell is taken out of them."""
    plan = commerce.plan_of(properties)
    products = commerce.products_of(properties, plan)
    currency = properties.pop("currency", "")
    event = Event(id, name, time, sender.received, channel, sender.source, anonymous, products)
    if currency:
        event.currency = currency if type(currency) is str and len(currency) <= 8 else text(currency)[:8]
    commerce.fill(event, properties, plan)
    event.properties = commerce.flat(properties)
    return event


_NO_CONTEXT: Final = Context()
_FIELDS: Final = Context.__struct_fields__
_CALLS: Final = {
    "page": (PAGE, CLICKSTREAM),
    "screen": (SCREEN, CLICKSTREAM),
    "identify": (IDENTIFIED, CLICKSTREAM),
    "alias": (IDENTIFIED, CLICKSTREAM),
    "group": (names.JOINED, CLICKSTREAM),
}


def _named(call: Call) -> tuple[str, str]:
    """Our name of the event, and its topic."""
    if call.type != "track":
        found = _CALLS.get(call.type)  # type: ignore[arg-type]
        if found is None:
            raise Fault("type", "wanted track, identify, page, screen, group or alias")
        return found
    name = identifier(call.event, "event")
    if not name:
        raise Fault("event", "wanted the name of what happened, got none")
    return name, CLICKSTREAM


def _object(value: Any, field: str) -> dict[str, Any]:
    """An object; `[]` is how PHP writes an empty one."""
    if type(value) is dict:
        return value
    if value is None or value == []:
        return {}
    raise Fault(field, f"wanted an object, got {kind(value)}")


def _context(own: Any, shared: Context | None) -> Context:
    """The call's context, over the one at the batch's root."""
    if type(own) is not Context:
        return shared or _NO_CONTEXT
    if shared is not None:
        for field in _FIELDS:
            if getattr(own, field) is None:
                setattr(own, field, getattr(shared, field))
    return own


def _place(call: Call, properties: dict[str, Any], anonymous: str) -> str:
    """Pages and screens bring their name outside the properties, groups their id, and alias the id to link."""
    if call.type == "page" or call.type == "screen":
        for field in ("name", "category"):
            if value := text(getattr(call, field)):
                properties[field] = value
    elif call.type == "group":
        properties["group"] = identifier(call.group_id, "groupId")
    elif call.type == "alias":
        anonymous = identifier(call.previous_id, "previousId")
        if not anonymous:
            raise Fault("previousId", "wanted the id that was used before, got none")
    return anonymous


def _feedback(id: str, name: str, time: float, properties: dict[str, Any], sender: Sender) -> Feedback:
    trigger = identifier(properties.get("trigger_id"), "properties.trigger_id")
    if not trigger:
        raise Fault("properties.trigger_id", "wanted the trigger's id, got none")
    return Feedback(
        id,
        trigger,
        names.FEEDBACK_NAMES[name],
        time,
        text(properties.get("channel")),
        text(properties.get("play")),
        sender.received,
    )


def _customer_of(item: Call | Fault) -> bytes | None:
    """The key of a dead letter, where the event has one."""
    if isinstance(item, Fault):
        return None
    try:
        return (identifier(item.user_id, "") or identifier(item.anonymous_id, "")).encode() or None
    except Fault:
        return None
