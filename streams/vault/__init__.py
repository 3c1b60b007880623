"""Sealed logs: with each customer's own key, so that shredding the key makes all of it unreadable, wherever it lies."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from streams.settings import Settings

if TYPE_CHECKING:
    from streams.vault.vault import Vault


class NoKey(Exception):
    """A record is sealed with a key that is neither there nor shredded, or wrapped by a master key we have not got. The
    text says what to do."""


def open_vault(settings: Settings, count: Callable[[str, int], None] = lambda _what, _many: None) -> "Vault | None":
    """The vault of these settings; None where no master key is given. With keys and without `encrypt` it opens what was
    sealed, and seals nothing."""
    masters = settings.masters()
    if not masters:
        return None
    from streams.vault.cipher import Masters  # who seals nothing needs no cryptography
    from streams.vault.ledger import KafkaLedger
    from streams.vault.shelf import RedisShelf
    from streams.vault.vault import Vault

    shelf = RedisShelf(settings.redis, settings.app)
    return Vault(Masters(masters), KafkaLedger(settings), shelf, settings.partitions, count, seals=settings.encrypt)


@asynccontextmanager
async def vault_of(settings: Settings) -> "AsyncIterator[Vault | None]":
    """The vault of these settings, if they have one, closed at the end."""
    vault = open_vault(settings)
    try:
        yield vault
    finally:
        if vault:
            await vault.close()
