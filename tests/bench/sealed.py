"""What sealing costs: the backlog and the posts of the other benchmarks, sealed, beside the same without."""

import base64
import secrets
from collections.abc import Sequence
from typing import Any

from streams.settings import Settings
from streams.vault import vault_of
from tests.bench.figures import Figures
from tests.bench.load import fill
from tests.bench.posts import KEY, Posts
from tests.bench.progress import HELD
from tests.bench.shop import Visit
from tests.bench.throughput import Throughput


def sealing() -> dict[str, Any]:
    """Settings of an installation that seals."""
    return {"encrypt": True, "encryption_keys": base64.b64encode(secrets.token_bytes(32)).decode()}


class SealedThroughput(Throughput):
    """Two backlogs of the same events, one of them sealed."""

    async def prepare(self, name: str) -> Settings:
        """Two installations."""
        self._plain = await super().prepare(f"{name}-plain")
        return await self._house.installation(name, session_seconds=HELD, **sealing())

    async def plain(self, _: Settings) -> Figures:
        """A worker that has nothing to open."""
        return await self.kairos(self._plain)

    async def _fill(self, settings: Settings, visits: Sequence[Visit]) -> None:
        async with vault_of(settings) as vault:
            await fill(settings, visits, await vault.pens({key for key, _ in visits}) if vault else {})


class SealedPosts(Posts):
    """Two collectors."""

    async def prepare(self, name: str) -> Settings:
        """Topics, and keys to write and to seal with."""
        self._plain = await super().prepare(f"{name}-plain")
        return await self._house.installation(name, write_keys=f"server:shop:{KEY}", **sealing())

    async def plain(self, _: Settings) -> Figures:
        """A collector that seals nothing."""
        return await self.kairos(self._plain)
