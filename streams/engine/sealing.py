"""What leaves sealed, and how."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from processors.markers import HEADERS as MARKER
from schemas.datakey import FROM, decode_brief, sealable
from schemas.topics import DEAD_LETTERS, PARTS
from schemas.turn import Message

if TYPE_CHECKING:
    from streams.vault.cipher import Pen
    from streams.vault.vault import Vault

Pens: TypeAlias = "dict[bytes, Pen] | None"
"""Customer -> what seals; None: all leaves as it is."""

MOST = 1000
"""Messages whose keys are looked for together."""
SEALED = "sealed"
"""Header of a dead letter nobody could open: the id of the key it is said to be sealed with."""
PLAIN = frozenset((MARKER[0][0], SEALED))
"""Headers of what leaves as it is."""


async def pens_of(vault: "Vault | None", leaving: Iterable[tuple[str, Message]]) -> Pens:
    """What the next batch is sealed with. Raises kafka.Unavailable."""
    if vault is None or not vault.seals:
        return None
    return await vault.pens([m.key for _, m in islice(leaving, MOST) if secret(m) and m.key is not None])


def secret(message: Message) -> bool:
    """Whether it says what a customer did, and leaves sealed. Triggers are read by other services; markers must be
    read when the customer's key is gone; a letter nobody could open is sealed already."""
    if message.topic not in (PARTS, DEAD_LETTERS) or message.value is None or not sealable(message.key):
        return False
    return not any(name in PLAIN for name, _ in message.headers)


def seal(message: Message, pen: "Pen") -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers as they leave. Of a part it stays readable who sent it: it must be found when its customer was
    erased."""
    value, headers = message.value or b"", [*message.headers, *pen.headers]
    if message.topic == PARTS and (brief := decode_brief(value)).tells():
        headers.append((FROM, brief.path[-1].encode()))
    return pen.seal(message.topic, value), headers
