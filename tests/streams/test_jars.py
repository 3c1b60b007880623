"""Kafka's jars: fetched once, also by two at a time; what is missing is named with its remedy. Maven is a stand-in."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.tools.parts import Apache, Missing, jars
from streams.tools.stage import choose_kafka, choose_redis

MAVEN = """#!/bin/sh
grep -q kafka_2.13 pom.xml && test -x "$JAVA_HOME/bin/java" || exit 9
mkdir libs && echo jar > libs/kafka.jar && sleep 0.2
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def java(folder: Path, version: str = "17.0.1") -> None:
    program(folder / "java", f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of programs of a machine that has none, with an empty cache."""
    (folder := tmp_path / "bin").mkdir()
    for name in ("sh", "grep", "mkdir", "sleep"):
        (folder / name).symlink_to(next(path for root in ("/bin", "/usr/bin") if (path := Path(root, name)).exists()))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(jars, "_wheel", lambda: None)
    jars.java.cache_clear()
    yield folder
    jars.java.cache_clear()


def test_two_may_fetch_at_once(programs: Path) -> None:
    java(programs)
    program(programs / "mvn", MAVEN)
    threads = [threading.Thread(target=jars.jars) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in jars.cache_folder().iterdir()] == [f"kafka-{jars.KAFKA}"]
    assert (jars.jars() / "kafka.jar").read_text() == "jar\n"
    (programs / "mvn").unlink()
    Apache(Path()).obtain()


def test_without_maven_the_cache_is_enough_and_nothing_else(programs: Path) -> None:
    java(programs)
    with pytest.raises(Missing, match="mvn is not on PATH to fetch it: apt-get install maven"):
        Apache(Path()).check()


def test_maven_that_fails(programs: Path) -> None:
    java(programs)
    program(programs / "mvn", "#!/bin/sh\necho no route to repository; exit 1\n")
    with pytest.raises(Missing, match=r"Maven ended with 1(.|\n)*no route to repository"):
        Apache(Path()).obtain()
    assert list(jars.cache_folder().iterdir()) == []


def test_a_java_too_old(programs: Path) -> None:
    java(programs, "11.0.2")
    with pytest.raises(Missing, match=r"needs Java 17 or later \(.*java is version 11\)"):
        jars.java()


def test_java_home_comes_first(programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java(programs)
    java(tmp_path / "home", "21")
    (tmp_path / "jdk").mkdir()
    (tmp_path / "home").rename(tmp_path / "jdk" / "bin")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert jars.java() == str(tmp_path / "jdk" / "bin" / "java")


def test_dev_falls_back_to_embedded_servers_and_says_so(programs: Path) -> None:
    notes: list[str] = []
    assert choose_kafka("", notes.append) == ("tansu", "")
    assert "found none" in notes[0] and "without transactions" in notes[0]
    assert choose_redis("", notes.append) == ("valkey", "")
    with pytest.raises(Missing, match="redis-server is not on PATH"):
        choose_redis("redis-server", notes.append)
