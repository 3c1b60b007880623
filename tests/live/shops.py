"""Two real shops as one, by links that are made up.

REES46 is a web shop and knows userIds; Online Retail is a till and knows, let us say, member cards. No file says who is
who in both, so the pairs here are drawn by chance: the events are real, the persons are not. Each file is cut in the
middle, and the links lie between the halves.
"""

import csv
import gzip
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from schemas.identity import key_of

LINKED = 2_000
SEED = 2019
Row = list[str]


class Shops(Struct, frozen=True):
    """What `kairos replay` is given, in this order: first halves, links, second halves."""

    clicks: tuple[Path, Path]
    """REES46, as it is."""
    tills: tuple[Path, Path]
    """Online Retail, its customers named as cards. An invoice is never cut."""
    links: Path
    """Segment calls: a user shows a card."""
    owners: dict[str, str]
    """Key of a card -> the user it was given."""


def two_shops(clicks: Path, tills: Path, folder: Path) -> Shops:
    """The same files for the same files. Raises ValueError when a shop has too few customers."""
    heading, *visits = rows(clicks)
    users = {row[7] for row in visits if len(row) == len(heading)}  # the file's last line is cut off
    columns, *lines = rows(tills)
    for line in lines:
        line[6] = line[6] and key_of("card", line[6].removesuffix(".0"))
    cards = {line[6] for line in lines if line[6]}
    owners = pairs(cards, users)
    numbers = list(dict.fromkeys(line[0] for line in lines))
    early = set(numbers[: len(numbers) // 2])
    middle = len(visits) // 2
    return Shops(
        (
            table(folder / "clicks-1.csv", heading, visits[:middle]),
            table(folder / "clicks-2.csv", heading, visits[middle:]),
        ),
        (
            table(folder / "tills-1.csv", columns, (line for line in lines if line[0] in early)),
            table(folder / "tills-2.csv", columns, (line for line in lines if line[0] not in early)),
        ),
        calls(folder / "links.jsonl", owners),
        owners,
    )


def pairs(cards: set[str], users: set[str]) -> dict[str, str]:
    """Made up: who is who is drawn by chance."""
    chance = random.Random(SEED)
    return dict(zip(chance.sample(sorted(cards), LINKED), chance.sample(sorted(users), LINKED), strict=True))


def rows(path: Path) -> Iterator[Row]:
    """Of a gzipped CSV file, the heading first."""
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.reader(file)


def table(path: Path, heading: Row, lines: Iterable[Row]) -> Path:
    """A CSV file."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows((heading, *lines))
    return path


def calls(path: Path, owners: dict[str, str]) -> Path:
    """A log-in of each user with the card in hand."""
    with path.open("w") as file:
        for card, user in owners.items():
            shown = [{"type": "card", "id": card.partition(":")[2]}]
            call = {"type": "identify", "userId": user, "channel": "web", "context": {"externalIds": shown}}
            file.write(json.dumps(call) + "\n")
    return path
