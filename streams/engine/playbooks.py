"""The playbook in force: looked for in the store, taken up between two turns."""

import asyncio
from typing import Any

import structlog

from processors.decide import Decider
from processors.playbook import BadPlaybook, read_playbook
from processors.turn import Fold
from streams.settings import Settings
from streams.state.store import Store

log = structlog.get_logger()


class Unpublished(Exception):
    """No playbook was ever published."""


class Playbooks:
    """Follows the current playbook. `fold` is asked at the beginning of each turn, and only there."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._fold: Fold[Any] | None = None
        self._looked = ""

    def fold(self) -> Fold[Any]:
        """The fold in force."""
        assert self._fold is not None, "first() comes first"
        return self._fold

    async def first(self) -> None:
        """Wait for a playbook: without one nothing can be decided."""
        said = False
        while self._fold is None:
            await self._look()
            if self._fold is None:
                if not said:
                    log.warning("no playbook yet", do="kairos init, or kairos playbook publish FILE")
                said = True
                await asyncio.sleep(self._settings.playbook_seconds)

    async def follow(self) -> None:
        """Look for a newer one for ever."""
        while True:
            await asyncio.sleep(self._settings.playbook_seconds)
            await self._look()

    async def _look(self) -> None:
        version = await self._store.current()
        if version is None or version == self._looked:
            return
        self._looked = version
        text = await self._store.playbook(version)
        if text is None:
            return
        try:
            loaded = read_playbook(text.decode(), self._settings.kept())
        except BadPlaybook as exc:
            log.error("playbook at fault: the one before stays in force", version=version, why=str(exc))
            return
        settings = self._settings
        given = loaded.playbook, loaded.conditions, version, settings.clock_bound, settings.kept()
        self._fold = Decider(settings.app, *given)
        log.info("playbook", version=version, plays=[play.id for play in loaded.playbook.plays])
