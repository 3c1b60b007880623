"""The peers in Java: their jars, built by Maven from `tests/bench/java` when first wanted."""

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from streams.tools.parts import Missing
from streams.tools.parts.jars import COPY, java, maven
from tests.bench.house import ROOT
from tests.bench.w.job import Job

SOURCES: Final = ROOT / "tests" / "bench" / "java"
BUILT: Final = ROOT / ".kairos"
FLAGS: Final = (
    "-Xmx512m",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)
"""The last two are Flink's."""
VERSIONS: Final = {"kafka-streams": "4.3.1", "flink": "2.0.0"}
"""As pom.xml has them; a test compares. Kafka Streams 4.4 is not on Maven Central."""


@cache
def missing() -> str:
    """Why there are no jars, after trying to build them; empty when there are."""
    try:
        jars()
    except Missing as exc:
        return str(exc)
    return ""


def jars() -> Path:
    """The folder with all jars. Raises Missing."""
    java()
    folder = BUILT / f"bench-w-{digest()}"
    if not folder.is_dir():
        BUILT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="bench-w.", dir=BUILT) as name:
            room = Path(name) / "java"
            shutil.copytree(SOURCES, room)
            maven(room, "package", *COPY, what="Kafka Streams and Flink")
            shutil.move(room / "target" / "bench-w-1.jar", room / "libs")
            (room / "libs").rename(folder)
    return folder


def digest() -> str:
    """Of the sources: others are built anew."""
    found = sha256()
    for path in sorted(path for path in SOURCES.rglob("*") if path.suffix in (".java", ".xml")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def program(name: str, *arguments: str) -> Callable[[Job], list[str]]:
    """A class with `main`. Its last argument is the job."""

    def argv(job: Job) -> list[str]:
        told = msgspec.json.encode(job).decode()
        return [java(), *FLAGS, "-cp", f"{jars()}/*", f"kairos.bench.{name}", *arguments, told]

    return argv
