"""Any command as a part: a worker, the collector, `kairos init`. Ready when its URL answers 200."""

import http.client
import os
from pathlib import Path
from urllib.parse import urlsplit

from .part import Part


class Command(Part):
    """A command that runs where its starter ran, with the starter's variables and a few more."""

    kind = "command"
    patience = 60.0

    def __init__(
        self, folder: Path, argv: list[str], env: dict[str, str] | None = None, url: str = "", log: Path | None = None
    ) -> None:
        """Without `url` the command counts as ready at once."""
        super().__init__(folder, port=urlsplit(url).port or -1, log=log)
        self._argv, self._env, self._url = argv, env or {}, url

    @property
    def address(self) -> str:
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc}" if self._url else ""

    def command(self) -> list[str]:
        return self._argv

    def environment(self) -> dict[str, str]:
        return os.environ | self._env

    def workplace(self) -> Path:
        return Path.cwd()

    def answers(self) -> bool:
        if not self._url:
            return True
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=1)
        try:
            connection.request("GET", parts.path)
            return connection.getresponse().status == 200
        except http.client.HTTPException:
            return False
        finally:
            connection.close()
