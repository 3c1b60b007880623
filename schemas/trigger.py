"""What leaves the house, what does not, why, and what became of it.

A trigger is the value of a record in `triggers` (key: the customer; CloudEvents headers carry id, time and type). A
refusal stays in the customer's decisions. Feedback is the value of a record in `feedback` (key: the customer).
"""

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct
from msgspec.json import Decoder, Encoder

from schemas.event import Id, Text, Time
from schemas.topics import TRIGGERS
from schemas.turn import Message

TYPE: Final = "kairos.trigger.v1"
"""CloudEvents `type`."""


class Check(Struct, gc=False, omit_defaults=True):
    """What one policy said of a proposal."""

    policy: str
    """known, expired, consent, just_bought, quiet, cooldown, cap, channel, judge; or condition: a text of `data` could
    not be told."""
    allowed: bool
    detail: str = ""
    """In words, with the figures that led here: `1 of 2 in 24h`."""


class Why(Struct, omit_defaults=True):
    """The reasons: what led to a proposal, and what the policies said."""

    on: str
    """The event's name, or `timer`."""
    event: str = ""
    """The event's message id."""
    when: str = ""
    """The play's condition, as written."""
    facts: dict[str, str | float | bool] = {}
    """What the condition looked at."""
    score: float = 0.0
    """Purchase intent, 0 to 1."""
    terms: dict[str, float] = {}
    """What each term adds to the logit of the score."""
    checks: list[Check] = []
    """Each policy asked, in order."""


class Trigger(Struct, omit_defaults=True):
    """A proposal that policy allowed."""

    id: Id
    """hash(app, play, customer, occurrence): the same in every history."""
    play: Id
    version: str
    """The playbook's version."""
    customer: Id
    channel: str
    """The delivery channel chosen."""
    occurrence: str
    time: Time
    """Event time of the event, or the due time of the timer, that led here."""
    decided: Time
    """The turn's `now`: what caps count by."""
    expires: Time
    """Senders drop it after this time."""
    purpose: str = ""
    aliases: list[str] = []
    """Other ids known of this customer."""
    offer: dict[str, str] = {}
    data: dict[str, str] = {}
    """Flat texts for the message."""
    received: Time = 0.0
    """When the collector took in the event that led here; 0 for timers."""
    why: Why | None = None


class Refusal(Struct, omit_defaults=True):
    """A proposal that policy did not allow."""

    id: str
    play: str
    occurrence: str
    time: float
    decided: float
    reason: str
    """The policy that refused."""
    detail: str = ""
    score: float = 0.0


class Feedback(Struct, gc=False, omit_defaults=True):
    """What became of a trigger."""

    id: Id
    """messageId of this feedback."""
    trigger: Id
    what: Literal["delivered", "opened", "clicked", "converted", "dismissed"]
    time: Time
    channel: Text = ""
    play: Text = ""
    received: Annotated[float, Meta(ge=0.0)] = 0.0


@lru_cache(maxsize=16_384)
def trigger_id(app: str, play: str, customer: bytes, occurrence: str) -> str:
    """24 hexadecimal digits from what the trigger is about; never from an offset, a clock or a version."""
    return blake2b(framed(app, play) + frame(customer) + frame(occurrence.encode()), digest_size=12).hexdigest()


def frame(part: bytes) -> bytes:
    """With its length, so that no two lists of parts are alike."""
    return b"%d:%b" % (len(part), part)


@lru_cache
def framed(app: str, play: str) -> bytes:
    return frame(app.encode()) + frame(play.encode())


def message(app: str, customer: bytes, trigger: Trigger) -> Message:
    """The record that carries a trigger: CloudEvents 1.0 in binary mode, so a reader needs no envelope to route it."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", trigger.id.encode()),
        ("ce_source", f"/{app}/plays/{trigger.play}".encode()),
        ("ce_type", TYPE.encode()),
        ("ce_time", datetime.fromtimestamp(trigger.decided, UTC).isoformat().replace("+00:00", "Z").encode()),
        ("ce_subject", customer),
        ("ce_partitionkey", customer),
        ("content-type", b"application/json"),
    ]
    return Message(TRIGGERS, customer, encode_trigger(trigger), headers, since=trigger.received)


decode_trigger = Decoder(Trigger).decode
encode_trigger = Encoder().encode
decode_feedback = Decoder(Feedback).decode
encode_feedback = Encoder().encode
