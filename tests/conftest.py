"""Real servers for tests, started once for all tests that use them.

A test that asks for the fixture `parts` runs on each kind: `embedded` (Tansu and Valkey, out of wheels) and `real`
(Apache Kafka and redis-server).

    @pytest.mark.parts("real")                    # this kind only
    @pytest.mark.parts(needs="redis")             # both kinds, also where Kafka is not to be had
    async def test_something(parts: Parts) -> None:
        parts.kafka.address, parts.redis.address
        parts.kafka.stop()      # kill, start, restart, pause, resume; after the test all run again

A server starts when a test first asks for it, so a test of Redis waits for no Kafka. What this machine has not got is
left out and named at the end; with CI=true it is a failure.

`pytest --pure`: all of it without the compiled cores (`_core` of a room), workers too.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

PURE = "--pure" in sys.argv
if PURE:
    from tests.pure import sitecustomize  # noqa: F401  before anything of `processors` is imported

from tests.parts import KINDS, Parts, missing  # noqa: E402

settings.register_profile("shared", deadline=None)  # a machine that others use too may stand still for a while
settings.load_profile("shared")

CI = os.environ.get("CI", "").lower() in ("1", "true")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pure", action="store_true", help="on the Python twins of the compiled functions")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.pure and not PURE:
        raise pytest.UsageError("--pure is heard on the command line only: what it is about is imported very early")


_LEFT_OUT = pytest.StashKey[Counter[str]]()
_WHY = pytest.StashKey[str]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each kind; the scope makes pytest run all tests of a kind together."""
    if "_servers" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("parts")
        metafunc.parametrize("_servers", (marker and marker.args) or list(KINDS), indirect=True, scope="session")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What the chosen tests need is fetched here, where no test's time-out runs."""
    left_out = session.config.stash[_LEFT_OUT] = Counter()
    if session.config.option.collectonly:
        return
    reasons: dict[tuple[str, str], str] = {}
    for item in session.items:
        if needs := _needs(item):
            item.add_marker("live")
            reasons |= {need: missing(*need) for need in needs if need not in reasons}
            if why := next(filter(None, (reasons[need] for need in needs)), ""):
                left_out[f"{needs[0][0]}: {why}"] += 1
                item.stash[_WHY] = why


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without its servers a test is left out, or fails where all must run."""
    if why := item.stash.get(_WHY, ""):
        (pytest.fail if CI else pytest.skip)(why)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out must not look like what has passed."""
    for why, count in terminalreporter.config.stash.get(_LEFT_OUT, Counter[str]()).items():
        verb = "failed for want of" if CI else "left out for want of"
        terminalreporter.write_line(f"{count} tests {verb} {why}", yellow=True)


def _needs(item: pytest.Item) -> list[tuple[str, str]]:
    """The (kind, name) of the servers a test needs."""
    call = getattr(item, "callspec", None)
    if call is None or "_servers" not in call.params:
        return []
    marker = item.get_closest_marker("parts")
    names = marker.kwargs.get("needs", ("kafka", "redis")) if marker else ("kafka", "redis")
    return [(call.params["_servers"], name) for name in ((names,) if isinstance(names, str) else names)]


@pytest.fixture(scope="session")
def _servers(request: pytest.FixtureRequest) -> Iterator[Parts]:
    parts = Parts(request.param)
    yield parts
    parts.close()


@pytest.fixture
def parts(_servers: Parts) -> Iterator[Parts]:
    """A Kafka and a Redis, real ones, which a test may stop and start."""
    yield _servers
    _servers.heal()
