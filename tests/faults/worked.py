"""Evidence of a small installation that did everything right: the real engine and fold over a broker in memory."""

import json
from typing import Any

from processors.decide import Decider
from processors.markers import markers
from processors.playbook import read_playbook
from schemas.families import ALL, Kept, write_families
from schemas.identity import Marker
from schemas.topics import CART, CLICKSTREAM, POS, TRIGGERS
from tests.faults.verifier.evidence import DEAD, Entry, Evidence, Log, Slot
from tests.streams.engine.twin import Rig

PLAYBOOK = """
policies:
  consent: {unknown: allow, required: []}
  caps: [{per: customer, most: 2, within: 10s}]
channels: {names: [push], usual: {app: push}}
plays:
  - {id: thanks, on: [Order Completed], occurrence: event.id, channels: [push], expires: 60s, priority: 1}
  - id: left
    on: [Product Added]
    after: 1s
    unless: [Order Completed]
    occurrence: event.id
    channels: [push]
    expires: 60s
"""


class Day:
    """A day in memory: events go in, evidence comes out."""

    def __init__(self, kept: Kept = ALL) -> None:
        loaded = read_playbook(PLAYBOOK, kept)
        self.version = loaded.version
        decider = Decider("kairos", loaded.playbook, loaded.conditions, loaded.version, 0.0, kept)
        self.rig = Rig(fold=decider, facts=write_families(kept))  # type: ignore[arg-type]
        self.number = 0

    def say(self, topic: str, who: str, name: str, **more: Any) -> str:
        """An event happens now; answers its message id."""
        self.number += 1
        event = {"id": f"m{self.number}", "name": name, "time": self.rig.broker.now, "channel": "app"} | more
        self.rig.broker.append(topic, (who.encode(), json.dumps(event).encode()))
        return str(event["id"])

    def split(self, who: str, owner: str) -> None:
        """What `kairos customer split` puts into the logs."""
        marker = Marker("split", owner, by="test", why="a test")
        self._mark(who, marker, f"split-{who}")

    def erase(self, who: str) -> None:
        """What the profile API puts into the logs."""
        self._mark(who, Marker("erase", who, by="test", why="a test"), f"erase-{who}")

    def _mark(self, who: str, marker: Marker, cause: str) -> None:
        for _, message in markers(who, marker, cause, self.rig.broker.now):
            self.rig.broker.append(message.topic, (who.encode(), message.value or b""))

    async def evidence(self) -> Evidence:
        """All that is there now, at rest."""
        broker, slot = self.rig.broker, self.rig.store.slot(0)
        content = slot.snapshot()
        assert content is not None
        evidence = Evidence("kairos", 1, playbooks={self.version: PLAYBOOK}, current=self.version, clock_bound=0.0)
        evidence.now = broker.now
        for topic, rows in broker.logs.items():
            entries = [Entry(row.offset, row.timestamp, row.key, row.value) for row in rows]
            if topic == TRIGGERS:
                entries = [e._replace(headers=(("ce_id", json.loads(e.value or b"")["id"].encode()),)) for e in entries]
            evidence.logs[topic, 0] = Log(0, len(rows), entries)
        dead = [Entry(at, 0, m.key, m.value, tuple(m.headers)) for at, m in enumerate(broker.dead)]
        evidence.logs[DEAD, 0] = Log(0, len(dead), dead)
        evidence.slots[0] = Slot(content.meta, content.customers, content.timers, content.outbox, content.turns)
        evidence.answered = {f"m{number}": 0.0 for number in range(1, self.number + 1)}
        return evidence


async def worked(kept: Kept = ALL) -> Evidence:
    """ann buys more than caps allow, bob leaves a cart, cid buys what was left; one is poison, one comes twice."""
    day = Day(kept)
    await day.rig.create()
    day.rig.serve()
    for number in range(4):
        day.say(POS, "ann", "Order Completed", total=number)
    day.say(CART, "bob", "Product Added", products=[{"id": "p"}])
    day.say(CART, "cid", "Product Added", products=[{"id": "p"}])
    await day.rig.run(0.1)
    day.say(CLICKSTREAM, "bob", "Product Viewed", products=[{"id": "p", "price": 5}])
    day.say(CLICKSTREAM, "bob", "Product Viewed", id="m7", products=[{"id": "p"}])
    day.say(POS, "cid", "Order Completed", products=[{"id": "p"}])
    day.rig.broker.append(CLICKSTREAM, (b"ann", b"{"))
    day.number = 7
    await day.rig.run(0.2)
    day.rig.broker.now += 1.0
    await day.rig.run(1.5)
    day.rig.stop()
    return await day.evidence()


async def linked(kept: Kept = ALL) -> Evidence:
    """ann's phone is her card's, the card hers: what it did before and does after is hers, and counts under her cap. A
    second phone is taken back. bob logs in at her tablet after her."""
    day = Day(kept)
    await day.rig.create()
    day.rig.serve()
    day.say(POS, "phone", "Order Completed", total=1)
    day.say(CART, "phone", "Product Added", products=[{"id": "p"}])
    for device in ("lost", "tablet"):
        day.say(CLICKSTREAM, device, "Product Viewed", products=[{"id": device}])
    await day.rig.run(0.1)
    day.say(CLICKSTREAM, "card:1", "Customer Identified", anonymous="phone")
    for device in ("lost", "tablet"):
        day.say(CLICKSTREAM, "ann", "Customer Identified", anonymous=device)
    await day.rig.run(0.2)
    day.say(CLICKSTREAM, "ann", "Customer Identified", links=[{"kind": "card", "id": "1"}])
    day.say(CLICKSTREAM, "bob", "Customer Identified", anonymous="tablet")
    day.split("lost", "ann")
    await day.rig.run(0.2)
    day.say(POS, "phone", "Order Completed", total=2)
    day.say(POS, "ann", "Order Completed", total=3)
    day.say(CART, "phone", "Product Added", products=[{"id": "q"}])
    day.say(CLICKSTREAM, "tablet", "Product Viewed", products=[{"id": "r"}])
    day.say("feedback", "phone", "", trigger="t", what="opened")
    await day.rig.run(0.3)
    day.rig.broker.now += 1.0
    await day.rig.run(1.5)
    day.rig.stop()
    return await day.evidence()
