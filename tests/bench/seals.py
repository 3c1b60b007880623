"""What sealing costs by itself, without Kafka and Redis: `python -m tests.bench.seals [EVENTS]` prints CPU an event."""

import asyncio
import sys
import time

from processors.turn import Record
from schemas.event import encode_event
from schemas.topics import CART
from streams.vault.vault import Vault
from tests.bench.shop import Shop
from tests.streams.vault.memory import House, Sealed

CUSTOMERS = 5_000
TURN = 1_000
"""Records in a turn."""


async def opening(vault: Vault, records: list[Record]) -> float:
    """Seconds of CPU for all of them, turn by turn."""
    since = time.process_time()
    for at in range(0, len(records), TURN):
        await vault.read([(CART, records[at : at + TURN])])
    return time.process_time() - since


async def main(count: int) -> None:
    """Each step once, over the same events."""
    visits = [(key, encode_event(event)) for key, event in Shop(CUSTOMERS).visits(count)]
    house = House(partitions=4)
    writer, reader = house.vault(), house.vault()
    since = time.process_time()
    pens = await writer.pens({key for key, _ in visits})
    made = time.process_time()
    sealed: list[Record] = [Sealed(key, pens[key].seal(CART, value), pens[key].headers) for key, value in visits]
    done = time.process_time()
    plain: list[Record] = [Sealed(key, value) for key, value in visits]
    steps = {
        "make a key": (made - since) / len(pens),
        "seal": (done - made) / count,
        "open, keys not in memory": await opening(reader, sealed) / count,
        "open": await opening(reader, sealed) / count,
        "look at a plain record": await opening(reader, plain) / count,
    }
    print(f"{count} events of {sum(len(value) for _, value in visits) / count:.0f} bytes, {len(pens)} customers")
    for step, seconds in steps.items():
        print(f"{step}: {seconds * 1e6:.1f} us")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60_000))
