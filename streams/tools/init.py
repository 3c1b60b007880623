"""`kairos init`: the one command that may begin at nothing. It makes topics and states, and publishes the playbook."""

from dataclasses import dataclass, field

from schemas.topics import INPUTS
from streams.kafka import bounds, connected, create_topics, places
from streams.settings import Settings
from streams.state import open_store
from streams.state.store import Exists

PATIENCE = 30.0
"""Seconds to wait for Redis."""


class Foreign(Exception):
    """There is a state already, and it is not one of these settings."""


@dataclass
class Made:
    """What `init` found missing and made."""

    topics: list[str] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    playbook: str = ""


async def init(settings: Settings) -> Made:
    """Make what is missing; what is there is left as it is. Raises Foreign, WrongTopics, Unavailable, Unfit."""
    store = open_store(settings, PATIENCE)
    try:
        await store.prepare()
        made = Made(topics=await create_topics(settings))
        async with connected(settings) as client:
            names = [settings.topic(topic) for topic in INPUTS]
            logs = await bounds(client, places(names, settings.partitions), patience=PATIENCE)
        for partition in range(settings.partitions):
            slot = store.slot(partition)
            meta = await slot.meta()
            if meta and int(meta["partitions"]) != settings.partitions:
                raise Foreign(
                    f"init: KAIROS_APP={settings.app} has a state for {int(meta['partitions'])} partitions in this Redis, "
                    f"wanted {settings.partitions}; the number is fixed for the life of an installation"
                )
            if meta:
                continue
            offsets = {topic: logs[settings.topic(topic), partition][0] for topic in INPUTS}
            try:
                await slot.create(settings.partitions, offsets)
                made.partitions.append(partition)
            except Exists:
                pass  # another `init` was faster
        return made
    finally:
        await store.close()
