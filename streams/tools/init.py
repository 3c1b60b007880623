"""`kairos init`: the one command that may begin at nothing. It makes topics and states, and publishes the playbook."""

import json
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path

from processors.playbook import read_playbook
from schemas.topics import INPUTS
from streams.kafka import bounds, connected, create_topics, places
from streams.settings import Settings
from streams.state import open_store
from streams.state.meta import unlike
from streams.state.store import Exists, Store

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
    """Version that was published; empty: one is in force already."""

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        """In words."""
        news = [
            f"topics made: {', '.join(self.topics)}" if self.topics else "",
            f"states made: {len(self.partitions)} partitions" if self.partitions else "",
            f"playbook published: {self.playbook}" if self.playbook else "",
        ]
        return "\n".join(filter(None, news)) or "nothing to do: all is there"


def shipped_playbook() -> Path:
    """The playbook that comes with Kairos: inside the package, or beside it in a checkout."""
    packed = Path(str(files("streams"))) / "playbook.yaml"
    return packed if packed.exists() else Path(__file__).parents[2] / "deploy" / "playbook.yaml"


def first_playbook(settings: Settings) -> str:
    """The text that is published where none is in force."""
    return (settings.playbook or shipped_playbook()).read_text()


async def init(settings: Settings) -> Made:
    """Make what is missing; what is there is left as it is. Raises BadPlaybook, Foreign, WrongTopics,
    Unavailable, Unfit."""
    store = open_store(settings, PATIENCE)
    try:
        await store.prepare()
        read_playbook(first_playbook(settings), settings.kept())  # at fault? Before anything is made
        made = Made(topics=await create_topics(settings))
        async with connected(settings) as client:
            names = [settings.topic(topic) for topic in INPUTS]
            logs = await bounds(client, places(names, settings.partitions), patience=PATIENCE)
        for partition in range(settings.partitions):
            offsets = {topic: logs[settings.topic(topic), partition][0] for topic in INPUTS}
            if await _make_slot(settings, store, partition, offsets):
                made.partitions.append(partition)
        made.playbook = await publish_first(settings, store)
        return made
    finally:
        await store.close()


async def publish_first(settings: Settings, store: Store) -> str:
    """Take the settings' playbook into force where none is; answers its version, empty when there is one already."""
    if await store.current() is not None:
        return ""
    text = first_playbook(settings)
    version = read_playbook(text, settings.kept()).version
    await store.publish(version, text.encode())
    return version


async def _make_slot(settings: Settings, store: Store, partition: int, offsets: dict[str, int]) -> bool:
    """True when there was none."""
    slot = store.slot(partition)
    meta = await slot.meta()
    if meta and int(meta["partitions"]) != settings.partitions:
        raise Foreign(
            f"init: KAIROS_APP={settings.app} has a state for {int(meta['partitions'])} partitions in this Redis, "
            f"wanted {settings.partitions}; the number is fixed for the life of an installation"
        )
    if meta and (why := unlike(meta, settings.kept())):
        raise Foreign(f"init: partition {partition} of KAIROS_APP={settings.app}: {why}")
    if meta:
        return False
    try:
        await slot.create(settings.partitions, offsets, settings.kept())
    except Exists:  # another `init` was faster
        return False
    return True
