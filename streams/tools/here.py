"""Where `kairos dev` of this folder runs, so that other commands need no addresses.

`.kairos/dev.json` says it while `.kairos/dev.lock` is locked. The lock goes with the process that holds it, however
that one dies: so a file left behind is never believed.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streams.settings import PREFIX

FOLDER = Path(".kairos")


class NotRunning(Exception):
    """The folder says that `kairos dev` runs, and it does not."""


class RunsAlready(Exception):
    """`kairos dev` runs in this folder."""


def remembered() -> dict[str, Any]:
    """What `kairos dev` wrote down; empty where it does not run. Raises NotRunning.

    Fields: `app, kafka, redis, partitions, facts, collector, api, host, port, write_keys {browser, server}, pid, pids`.
    """
    path = FOLDER / "dev.json"
    if not path.exists():
        return {}
    if not _locked():
        raise NotRunning(
            f"{path} remembers a `kairos dev` that no longer runs: start it again, or remove the file, "
            f"or set {PREFIX}KAFKA and {PREFIX}REDIS"
        )
    known: dict[str, Any] = json.loads(path.read_text())
    return known


def settings_here(environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """What is remembered as arguments of `read_settings`, without those that a variable sets. Raises NotRunning.

    Who names both Kafka and Redis means another installation: then nothing is taken from here.
    """
    if {PREFIX + "KAFKA", PREFIX + "REDIS"} <= environ.keys() or not (known := remembered()):
        return {}
    found = {name: known[name] for name in ("app", "kafka", "redis", "partitions", "facts", "host", "port")}
    found["write_keys"] = write_keys(known["write_keys"])
    return {name: value for name, value in found.items() if PREFIX + name.upper() not in environ}


def write_keys(keys: Mapping[str, str]) -> str:
    """The keys of `browser` and `server` as the setting wants them; the source is named like its kind."""
    return ",".join(f"{kind}:{'web' if kind == 'browser' else 'backend'}:{key}" for kind, key in keys.items())


def remember(known: Mapping[str, object]) -> None:
    """Write it down, whole or not at all."""
    new = FOLDER / "dev.json.new"
    new.write_text(json.dumps(known, indent=2) + "\n")
    new.rename(FOLDER / "dev.json")


@contextlib.contextmanager
def sole() -> Iterator[None]:
    """Only one `kairos dev` in a folder; what it wrote down is gone afterwards. Raises RunsAlready."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "dev.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunsAlready(f"`kairos dev` runs in this folder already, see {FOLDER / 'dev.json'}") from None
        try:
            yield
        finally:
            (FOLDER / "dev.json").unlink(missing_ok=True)


def _locked() -> bool:
    try:
        with (FOLDER / "dev.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
