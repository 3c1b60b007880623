"""The playbook that is shipped, from records to triggers."""

from pathlib import Path

from processors.decide import Decider
from processors.playbook import read_playbook
from tests.processors.builders import World, added, ordered, viewed

SHIPPED = Path(__file__).parents[2] / "deploy" / "playbook.yaml"


def shop() -> World:
    loaded = read_playbook(SHIPPED.read_text())
    return World(Decider("shop", loaded.playbook, loaded.conditions, loaded.version, 0.1))


def test_a_cart_left_alone_is_remembered() -> None:
    world = shop()
    world.turn(added("ann", "boots", at=0, price=80, channel="app"), now=1)
    world.turn(now=2 * 3600)
    (trigger,) = [one for one in world.triggers if one.play == "cart-abandoned"]
    assert trigger.channel == "push" and trigger.why and trigger.why.facts["cart.value"] == 80.0


def test_a_cart_bought_at_the_till_is_not() -> None:
    world = shop()
    world.turn(added("ann", "boots", at=0, price=80), now=1)
    world.turn(ordered("ann", "boots", at=60, till=True), now=61)
    world.turn(now=2 * 3600)
    assert "cart-abandoned" not in {trigger.play for trigger in world.triggers}


def test_a_warm_customer_gets_the_discount_once_a_day() -> None:
    world = shop()
    for n in range(4):
        world.turn(added("ann", f"p{n}", at=n), viewed("ann", f"p{n}", at=n), now=n + 1)
    (trigger,) = [one for one in world.triggers if one.play == "discount-push"]
    assert trigger.occurrence == "2026-09-21" and trigger.why and trigger.why.score >= 0.5
    assert not [name for name in world.counts if name.startswith("refused:discount-push")]
