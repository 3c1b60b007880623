"""Random histories with zombies, rewinds and repeated calls: memory and Redis answer alike."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.state.memory import MemoryStore
from streams.state.redis import RedisStore
from streams.state.store import Commit, Exists, Missing, Refused, Store
from tests.contracts.servers import RedisServer, redis_binary
from tests.contracts.store_contract import Machine, everything, token
from tests.contracts.test_memory_store import MemoryMachine
from tests.contracts.test_redis_store import RedisMachine, running

NAMES = st.sampled_from([b"", b"ann", b"bob", b"\xff\x00", b"{c}"])
TIMES = st.one_of(st.floats(-10, 10), st.floats(allow_nan=False, allow_infinity=False))
HELD = 7
"""Stands for the token that is stored when the call is made."""
TOKENS = st.one_of(st.integers(0, 6), st.just(HELD))
PAIRS = st.lists(st.tuples(NAMES, st.binary(max_size=8)), max_size=4)


@dataclass(frozen=True)
class Step:
    """One call: its name, and what it is given."""

    call: str
    arguments: tuple[Any, ...] = ()


@st.composite
def commits(draw: st.DrawFn) -> Step:
    return Step(
        "commit",
        (
            Commit(
                token=token(draw(TOKENS)),
                new_token=token(draw(st.integers(0, 6))),
                until=draw(TIMES),
                record=draw(st.binary(max_size=4)),
                keep=draw(st.integers(0, 3)),
                meta=draw(st.dictionaries(st.sampled_from(["seq", "next:cart", "count:x"]), st.binary(max_size=4))),
                customers=draw(PAIRS),
                wake=draw(st.lists(st.tuples(NAMES, TIMES), max_size=4)),
                sleep=draw(st.lists(NAMES, max_size=2)),
                outbox=draw(PAIRS),
                left=draw(st.lists(NAMES, max_size=2)),
            ),
        ),
    )


STEPS = st.one_of(
    commits(),
    commits(),
    st.builds(lambda n: Step("acquire", (token(n),)), st.integers(0, 6)),
    st.builds(lambda n, before: Step("take", (token(n), token(before))), st.integers(0, 6), TOKENS),
    st.builds(lambda n: Step("open", (token(n),)), TOKENS),
    st.builds(lambda a, b, names: Step("load", ((token(a), token(b)), names)), TOKENS, TOKENS, st.lists(NAMES)),
    st.builds(lambda names: Step("trim", (names,)), st.lists(NAMES, max_size=3)),
    st.just(Step("create", (4, {"cart": 3}))),
    st.just(Step("save")),
    st.just(Step("restore")),
)


class Player:
    """Plays a history on one store, and writes down what it answers."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self.slot, self.machine = store.slot(0), machine
        self.saved: Any = None

    async def play(self, history: list[Step]) -> list[Any]:
        answers: list[Any] = []
        for step in [Step("create", (4, {})), Step("acquire", (token(0),)), Step("save"), *history]:
            answers += [await self._answer(step), await everything(self.slot)]
        return answers

    async def _answer(self, step: Step) -> Any:
        if step.call == "save":
            self.saved = await self.machine.save(0)
            return None
        if step.call == "restore":
            return await self.machine.restore(0, self.saved)
        held = (await self.slot.meta()).get("token", b"")
        try:
            answer = await getattr(self.slot, step.call)(*(meant(argument, held) for argument in step.arguments))
        except (Refused, Missing, Exists) as error:
            return type(error)
        return (answer.meta, sorted(answer.outbox)) if step.call == "open" else answer


def meant(argument: Any, held: bytes) -> Any:
    """The argument with the stored token where HELD stands."""
    if isinstance(argument, Commit):
        return replace(argument, token=meant(argument.token, held))
    if isinstance(argument, tuple):
        return tuple(meant(part, held) for part in argument)
    return held if argument == token(HELD) else argument


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from running(redis_binary(), tmp_path_factory)


@settings(max_examples=100, deadline=None)
@given(history=st.lists(STEPS, max_size=25))
def test_memory_and_redis_answer_alike(server: RedisServer, history: list[Step]) -> None:
    memory, redis = asyncio.run(play_both(server, history))
    for step, (one, other) in enumerate(zip(memory, redis, strict=True)):
        assert one == other, f"answer {step} differs"


async def play_both(server: RedisServer, history: list[Step]) -> tuple[list[Any], list[Any]]:
    memory = MemoryStore()
    app = f"test-{secrets.token_hex(8)}"
    redis = RedisStore(server.url, app)
    try:
        await redis.prepare()
        return (
            await Player(memory, MemoryMachine(memory)).play(history),
            await Player(redis, RedisMachine(server, app)).play(history),
        )
    finally:
        await redis.close()
