"""The one connection for the many calls, on a real server, and on the loops we run on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError, TimeoutError

from streams.state.line import Line
from tests.contracts.servers import RedisServer, free_port, redis_binary

Body = Callable[[Line], Awaitable[None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    folder = tmp_path_factory.mktemp("line")
    certificate(folder)
    secure = ["--tls-port", str(free_port()), "--tls-auth-clients", "no"]
    files = ["--tls-cert-file", str(folder / "crt"), "--tls-key-file", str(folder / "key")]
    server = RedisServer(redis_binary(), folder, *secure, *files)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs a test's body with a line to the URL, on a loop of its own."""
    factory = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop

    async def main(url: str, body: Body, timeout: float) -> None:
        client = Redis.from_url(url, protocol=2)
        line = Line(client.connection_pool, timeout)
        try:
            await body(line)
        finally:
            await line.close()
            await client.aclose()

    def go(url: str, body: Body, timeout: float = 5.0) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main(url, body, timeout))

    return go


def test_each_caller_gets_his_own_answer_though_others_leave(server: RedisServer, run: Any) -> None:
    async def body(line: Line) -> None:
        words = [b"%d" % n * n for n in range(500)]  # up to 1.5 KB: answers come in pieces
        calls = [asyncio.create_task(line.ask(("ECHO", word))) for word in words]
        await asyncio.sleep(0)
        for call in calls[::3]:
            call.cancel()
        got = await asyncio.gather(*calls, return_exceptions=True)
        left = [n for n, answer in enumerate(got) if isinstance(answer, asyncio.CancelledError)]
        assert left == [*range(0, 500, 3)]
        assert all(answer == words[n] for n, answer in enumerate(got) if n % 3)
        assert await line.ask(("ECHO", b"last")) == b"last"

    before = connections(server)
    run(server.url, body)
    assert connections(server) - before == 2  # the line, and who asks


def test_errors_are_those_of_redis_py_and_close_nothing(server: RedisServer, run: Any) -> None:
    async def body(line: Line) -> None:
        before = connections(server)
        with pytest.raises(ResponseError, match="unknown command"):
            await line.ask(("NONSENSE",))
        assert await line.ask(("SET", "a", b"\r\n\xff")) == b"OK"
        assert await line.ask(("MGET", "a", "none")) == [b"\r\n\xff", None]
        server.ask("REPLICAOF", "127.0.0.1", "1")
        try:
            with pytest.raises(ReadOnlyError):
                await line.ask(("SET", "a", 1))
        finally:
            server.ask("REPLICAOF", "NO", "ONE")
        assert connections(server) - before == 4  # the line, and thrice who asks

    run(server.url, body)


def test_a_silent_server_fails_all_that_wait_and_the_next_call_opens_anew(server: RedisServer, run: Any) -> None:
    async def body(line: Line) -> None:
        assert await line.ask(("ECHO", "a")) == b"a"
        server.ask("CLIENT", "PAUSE", "600", "ALL")
        waiting = [asyncio.create_task(line.ask(("ECHO", "b"))) for _ in range(3)]
        await asyncio.sleep(0.15)
        later = asyncio.create_task(line.ask(("ECHO", "c")))
        for call in (*waiting, later):
            with pytest.raises(TimeoutError, match=r"no answer in 0.3 s"):
                await call
        await asyncio.sleep(0.4)
        assert await line.ask(("ECHO", "d")) == b"d"

    run(server.url, body, timeout=0.3)


def test_a_call_in_time_does_not_make_up_for_one_that_is_late(server: RedisServer, run: Any) -> None:
    async def body(line: Line) -> None:
        for _ in range(8):  # the look at the eldest comes amid them, and finds nothing
            await asyncio.sleep(0.05)
            assert await line.ask(("ECHO", "a")) == b"a"
        since = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await line.ask(("BLPOP", "nothing", 5))
        assert 0.25 < asyncio.get_running_loop().time() - since < 1.5

    run(server.url, body, timeout=0.3)


def test_a_connection_that_is_killed_fails_its_calls_at_once(server: RedisServer, run: Any) -> None:
    async def body(line: Line) -> None:
        number = await line.ask(("CLIENT", "ID"))
        waiting = asyncio.create_task(line.ask(("BLPOP", "nothing", 5)))
        await asyncio.sleep(0.05)
        server.ask("CLIENT", "KILL", "ID", number)
        with pytest.raises(ConnectionError, match="closed"):
            await waiting
        assert await line.ask(("CLIENT", "ID")) != number

    run(server.url, body)


def test_one_opens_it_for_all_also_when_he_goes(server: RedisServer, run: Any) -> None:
    async def body(line: Line) -> None:
        first, *others = [asyncio.create_task(line.ask(("CLIENT", "ID"))) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        assert len({await call for call in others}) == 1
        assert first.cancelled()

    run(server.url, body)


def test_nobody_there_is_a_connection_error_each_time(run: Any) -> None:
    async def body(line: Line) -> None:
        for _ in range(2):
            calls = await asyncio.gather(*(line.ask(("PING",)) for _ in range(3)), return_exceptions=True)
            assert [type(error) for error in calls] == [ConnectionError] * 3

    run(f"redis://127.0.0.1:{free_port()}/0", body)


def test_tls(server: RedisServer, run: Any) -> None:
    async def body(line: Line) -> None:
        word = b"x" * 1_000_000
        for _ in range(2):
            assert await asyncio.gather(*(line.ask(("ECHO", word)) for _ in range(3))) == [word] * 3
            line.hang_up()

    port = server.options[1]
    run(f"rediss://localhost:{port}/0?ssl_ca_certs={server.folder / 'crt'}", body)
    with pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        run(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={server.folder / 'crt'}&ssl_check_hostname=true", body)


def connections(server: RedisServer) -> int:
    """How many were ever made to it, that of the question among them."""
    return int(server.ask("INFO", "stats")["total_connections_received"])


def certificate(folder: Path) -> None:
    """One for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "crt").write_bytes(made.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key").write_bytes(private)
