"""Ids, and what joins them: links that events claim, markers that carry them into a log, and what an id keeps of them.

How it works. An id is a kind and a value; its key in Kafka and Redis is the plain value for userIds and anonymousIds,
else `kind:value`. Each id has a home, the customer of its own key, and every record of that key is folded there,
always. A *claim* is an event that names other ids (`Link`). The fold that believes it puts a *marker* into every log of
the lesser id: a record that says to whom it belongs from there on. Markers cut the facts of a log into *stretches*, and
each stretch has an owner. What an owner must know of it comes as a *part* (`schemas.part`).
"""

from typing import Annotated, Final, Generic, Literal, TypeVar

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=128)]
Word = Annotated[str, Meta(max_length=64)]

USER: Final = "user"
ANONYMOUS: Final = "anonymous"
KINDS: Final = (USER, "card", "email", "phone", "line", "device", ANONYMOUS)
"""Greatest first: an id belongs to one of a greater kind, never the other way round."""
PLAIN: Final = frozenset((USER, ANONYMOUS))
"""Kinds whose key is the plain value."""

LINKED, SPLIT, ERASED = "Customer Linked", "Customer Split", "Customer Erased"
"""Event names of markers."""
TOMB: Final = "\x00"
"""Begins the name of an owner who was erased: no id begins so."""

STRETCHES_MOST: Final = 8
"""Of one log; then the oldest two of one owner are joined."""
MARKS_MOST: Final = 64
"""Links remembered of one log."""
CLAIMS_MOST: Final = 50
"""Other ids that one id may claim in one log: it bounds what a customer weighs."""

F = TypeVar("F")


class Link(Struct, gc=False, omit_defaults=True):
    """Another id that an event names."""

    kind: Word
    id: Id
    """The value; addresses come as SHA-256 in hexadecimal."""
    trust: Word = "server"
    """How we know: `server` (a server key said so) or `token` (a browser showed an identity token)."""
    relation: Word = ""
    """`child`, `holder`, `receiver` ...: somebody near, but another person. Nothing is joined."""


class Marker(Struct, gc=False, omit_defaults=True):
    """What a record in the log of a lesser id says of all that comes after it, until the next one."""

    what: Literal["link", "split", "erase"]
    to: Id
    """The key of the owner. Of an erasure: all that is this id's goes, of the log's own id everything."""
    source: str = ""
    trust: str = ""
    most: int = 0
    """With more owners than this within the time below the id is shared, and belongs to nobody. 0: no limit. The
    playbook's word when the claim was read: who folds the marker asks no playbook."""
    within: float = 0.0
    again: bool = False
    """The same was claimed before, in an earlier session. It lies in the log of parts only: if somebody else came
    between them, who folds it tells the other logs."""
    by: str = ""
    why: str = ""
    """Who took the link back, or had the customer erased, and for what reason."""


class Mark(Struct, gc=False, omit_defaults=True):
    """A link as the state keeps it."""

    to: str
    """The owner's key; of one who was erased a digest that begins with TOMB."""
    time: float
    again: float
    """Event times of the earliest and the latest claim that said so, nobody else between them."""
    at: int
    """Offset of the marker."""
    most: int = 0
    within: float = 0.0
    dead: bool = False
    """A later split took it back."""


class Stretch(Struct, Generic[F], omit_defaults=True):
    """Facts of one log from one marker to another."""

    at: int
    """Offset of the marker it began with; 0: the beginning of the log."""
    facts: F
    owner: str = ""
    """Empty: the id itself."""


class Held(Struct, Generic[F], omit_defaults=True):
    """The newest part that came by one path."""

    version: tuple[int, int]
    facts: F | None = None
    """None: nothing there is ours any more."""
    short: bool = False
    """It came from before a rebuild, and lacks families of facts that are kept now."""


class Claim(Struct, gc=False, omit_defaults=True):
    """The latest claim of an id that was passed on."""

    time: float
    session: str = ""


class Side(Struct, Generic[F], omit_defaults=True):
    """What links made of one log, and what came of others' logs of that topic.

    The facts of the stretch that goes on are the customer's own (`Customer.cart`)."""

    since: int = 0
    """Offset of the marker the going stretch began with."""
    owner: str = ""
    """Whom it belongs to; empty: the id itself."""
    closed: list[Stretch[F]] = []
    """Oldest first."""
    marks: list[Mark] = []
    claims: dict[str, Claim] = {}
    """Key of another id -> what was claimed of it in this log."""
    held: dict[str, Held[F]] = {}
    """Path of ids, the first one's events, joined by line ends -> its part."""


def key_of(kind: str, value: str) -> str:
    """The key of an id."""
    return value if kind in PLAIN else f"{kind}:{value}"


def kind_of(key: str) -> str:
    """The kind of a key. A plain one counts as a userId: only a claim can tell that it is an anonymousId."""
    kind, colon, _ = key.partition(":")
    return kind if colon and kind in KINDS and kind not in PLAIN else USER
