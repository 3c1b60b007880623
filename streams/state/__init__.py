"""What is remembered of every customer, one slot a partition, guarded by a token."""

from streams.settings import Settings
from streams.state.redis import RedisStore
from streams.state.store import Store


def open_store(settings: Settings, patience: float | None = None) -> Store:
    """The store of these settings. `patience`: how long calls for people and tools wait, seconds; None: for ever."""
    return RedisStore(settings.redis, settings.app, patience=patience)
