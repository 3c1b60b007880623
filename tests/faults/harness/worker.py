"""A worker as `kairos worker` runs it, with a fuse or a wrong clock, where variables ask for it.

Without KAIROS_CRASH_AT, KAIROS_CLOCK_FILE and KAIROS_WRONG it is the worker as it ships.
"""

import asyncio
import os
import sys
import time

import uvloop

from streams.engine.worker import Worker
from streams.logs import set_up_logs
from streams.settings import Settings, read_settings
from tests.faults.harness.rig import Fuse, rig, wrong_clock
from tests.faults.harness.wrong import WRONG


def build(settings: Settings) -> Worker:
    """The worker, rigged as the environment says."""
    worker = Worker(settings)
    if where := os.environ.get("KAIROS_CRASH_AT"):
        worker._world = rig(worker._world, Fuse(where))
    return worker


def main() -> int:
    if path := os.environ.get("KAIROS_CLOCK_FILE"):
        time.time = wrong_clock(path)  # all of the process: the engine's turns and when its fetches were asked
    if wrong := os.environ.get("KAIROS_WRONG"):
        WRONG[wrong]()
    settings = read_settings()
    set_up_logs(settings)
    uvloop.install()

    async def serve() -> int:
        return await build(settings).run()

    return asyncio.run(serve())


if __name__ == "__main__":
    sys.exit(main())
