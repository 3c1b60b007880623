"""A part's port and process, with a stand-in for the server."""

import http.server
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from streams.tools.parts import Command, Failed, Missing, Part, free_port
from streams.tools.parts.kafka import names_a_broker
from streams.tools.parts.tansu import binary

LISTENER = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"


class Listener(Part):
    """Ready when its port is open. `taken` is a port it would have chosen, and somebody else has."""

    kind = "listener"
    patience = 5.0

    def __init__(self, folder: Path, port: int = 0, taken: int = 0) -> None:
        super().__init__(folder, port)
        self._port = taken or port

    def command(self) -> list[str]:
        return [sys.executable, "-c", LISTENER, str(self.port)]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return self.pid != 0 and self.port != TAKEN.get("port")


TAKEN: dict[str, int] = {}


def test_port_and_log_stay_over_restarts(tmp_path: Path) -> None:
    with Listener(tmp_path) as part:
        address, pid = part.address, part.pid
        part.restart()
        assert part.address == address and part.pid not in (0, pid)
        part.kill()
        assert part.pid == 0 and part.exit_code() == -signal.SIGKILL
        part.start()
    assert part.exit_code() == -signal.SIGTERM


def test_a_chosen_port_that_somebody_took_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        taken = other.getsockname()[1]
        monkeypatch.setitem(TAKEN, "port", taken)
        with Listener(tmp_path, taken=taken) as part:
            assert part.port != taken


def test_a_given_port_that_somebody_has_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        monkeypatch.setitem(TAKEN, "port", other.getsockname()[1])
        with pytest.raises(Failed, match=r"listener: wanted an answer at (.|\n)*Address already in use"):
            Listener(tmp_path, port=other.getsockname()[1]).start()


def test_who_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listener, "patience", 0.3)
    monkeypatch.setattr(Listener, "answers", lambda self: False)
    part = Listener(tmp_path)
    with pytest.raises(Failed, match=r"no answer at .* in 0.3 s"):
        part.start()
    assert part.pid == 0


def test_a_part_that_runs_is_not_started_twice(tmp_path: Path) -> None:
    with Listener(tmp_path) as part, pytest.raises(Failed, match=f"runs already, pid {part.pid}"):
        part.start()


def test_a_paused_part_still_stops(tmp_path: Path) -> None:
    part = Listener(tmp_path).start()
    part.signal(signal.SIGSTOP)
    part.stop()
    assert part.exit_code() == -signal.SIGTERM


def test_free_ports_are_not_those_of_clients() -> None:
    assert all(12_000 <= free_port() < 32_000 for _ in range(20))


def test_a_binary_that_is_not_installed() -> None:
    with pytest.raises(Missing, match=r"kairos\[embedded\]"):
        binary("no_such_wheel", "bin/x")


def test_an_open_port_is_no_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(OSError):
        names_a_broker("127.0.0.1", mute.getsockname()[1], 0.2)


def test_a_command_is_ready_when_its_url_says_200(tmp_path: Path) -> None:
    answers = [503, 503, 200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/readyz"
        with Command(tmp_path, [sys.executable, "-c", "import time; time.sleep(600)"], url=url) as command:
            assert answers == [] and command.address == f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
