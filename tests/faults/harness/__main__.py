"""python -m tests.faults.harness: run scenarios, each from a seed, and report. Exit 1 on a violation."""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.faults.harness.arena import Arena
from tests.faults.harness.report import surroundings, write
from tests.faults.harness.result import Result
from tests.faults.harness.run import perform
from tests.faults.harness.scenarios import SCENARIOS
from tests.faults.harness.wrong import WRONG


async def grid(runs: int, seed: int, wanted: list[str], folder: Path, wrong: str) -> None:
    """`runs` runs over the scenarios in turn, those that need the same servers together."""
    names = [wanted[number % len(wanted)] for number in range(runs)]
    order = sorted(range(runs), key=lambda number: (SCENARIOS[names[number]].kafka, number))
    async with Arena() as arena:
        for at, number in enumerate(order):
            scenario = SCENARIOS[names[number]]
            own = seed + number // len(wanted)
            result = await perform(arena, scenario, own, folder / f"{scenario.name}-{own}", wrong)
            print(f"[{at + 1}/{runs}] {result.line()}", flush=True)
            later = {SCENARIOS[names[n]].kafka for n in order[at + 1 :]}
            if scenario.kafka not in later:
                await arena.drop_kafka(scenario.kafka)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.harness", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=0, help="how many in all; default: one of each scenario")
    parser.add_argument("--seed", type=int, default=1, help="of the first run of each scenario; later ones count on")
    parser.add_argument("--scenario", default="", help=f"one or more by commas, of {', '.join(SCENARIOS)}")
    parser.add_argument("--folder", type=Path, help="for the raw histories; default: a new temporary one")
    parser.add_argument("--report", type=Path, help="write the report here")
    parser.add_argument("--wrong", default="", choices=["", *WRONG], help="run a deliberately wrong engine")
    parser.add_argument("--only-report", action="store_true", help="run nothing: report on the histories in --folder")
    given = parser.parse_args()
    wanted = [name for name in given.scenario.split(",") if name] or list(SCENARIOS)
    if unknown := set(wanted) - SCENARIOS.keys():
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells each failed attempt of an outage
    folder = given.folder or Path(tempfile.mkdtemp(prefix="kairos-faults-"))
    if not given.only_report:
        asyncio.run(grid(given.runs or len(wanted), given.seed, wanted, folder, given.wrong))
    results = [Result.read(path) for path in sorted(folder.glob("*/result.json"))]
    print(f"histories in {folder}")
    text = write(results, surroundings())
    print(text)
    if given.report:
        given.report.write_text(text)
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
