"""The whole product on a backlog: full schema, links, segments, stages, the shipped playbook and seven plays more, all
policies, reasons. Beside it the shipped playbook alone, and a bare loop.

Of ten customers one has said no to marketing, and one lives where it is night, so that what they are told waits for
the morning. All have two ids: the device's is linked when they introduce themselves, and said again in each session;
what that adds to the logs counts as the cost of their events.
"""

import time
from collections import Counter
from pathlib import Path

from streams.settings import Settings
from tests.bench.figures import Figures
from tests.bench.house import ROOT, House
from tests.bench.linked import SESSION
from tests.bench.progress import HELD
from tests.bench.shop import noon
from tests.bench.throughput import Scale, Throughput

SHIPPED = ROOT / "deploy" / "playbook.yaml"
MORE = Path(__file__).with_name("plays.yaml")
EACH = 10
HALF_A_DAY = 43_200.0


def playbook() -> str:
    """The shipped one, and the seven."""
    return f"{SHIPPED.read_text().rstrip()}\n{MORE.read_text().partition('plays:')[2]}"


class Whole(Throughput):
    """The backlog of `Throughput`, of people of whom some are hard to reach."""

    def __init__(self, house: House, scale: Scale) -> None:
        super().__init__(house, scale)
        count = Counter[bytes]()
        for key, event in self._visits:
            event.session = f"s-{key.decode()}-{count[key] // SESSION}"
            count[key] += 1
        night = noon(time.time() + HALF_A_DAY)
        for number, (_, event) in enumerate(self._visits[: scale.customers]):
            if event.traits and number % EACH == 0:
                event.traits.consent = {"marketing": False}
            elif event.traits and number % EACH == 1:
                event.traits.zone = night

    async def prepare(self, name: str) -> Settings:
        """Two installations."""
        self._shipped = await super().prepare(f"{name}-shipped")
        path = self._house.folder / "whole.yaml"
        path.write_text(playbook())
        return await self._house.installation(name, playbook=path, session_seconds=HELD)

    async def shipped(self, _: Settings) -> Figures:
        """A worker with five plays."""
        return await self.kairos(self._shipped)
