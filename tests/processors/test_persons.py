"""What is asked of a person in a turn: joined when asked, and never older than the customer is."""

from typing import Any

import pytest

from processors.folds import FOLDS
from processors.persons import person_of, whole
from processors.turn import Turn
from schemas.customer import Customer, Identity
from schemas.event import decode_event
from schemas.facts import ClickFacts, FeedbackFacts
from schemas.identity import Held, Side, Stretch
from schemas.topics import CLICKSTREAM
from tests.processors.builders import viewed

KEY = b"ann"


def look(facts: ClickFacts, what: str, at: float) -> ClickFacts:
    """One more record of the log."""
    FOLDS[CLICKSTREAM][1](facts, decode_event(viewed("ann", what, at=at).value or b""), KEY)
    facts.next += 1
    return facts


class Day:
    """A turn in which a customer of several ids changes."""

    def __init__(self) -> None:
        self.side = Side[Any](held={"x": Held((0, 1), look(ClickFacts(), "boots", 1.0))})
        self.own = look(ClickFacts(), "hat", 2.0)
        self.customer = Customer(clickstream=self.own, identity=Identity(clickstream=self.side))
        self.turn = Turn[Customer](0.0, 0.0, {KEY: self.customer})

    def ask(self) -> ClickFacts | None:
        """It must say what a join from the beginning says."""
        person, wanted = person_of(self.turn, KEY, self.customer), whole(self.customer)
        assert [person.clickstream, person.cart, person.pos, person.feedback] == [
            wanted.clickstream,
            wanted.cart,
            wanted.pos,
            wanted.feedback,
        ]
        return person.clickstream


def test_it_is_joined_once_as_long_as_nothing_changes() -> None:
    day = Day()
    once = day.ask()
    assert once and once.events == 2 and day.ask() is once


def test_it_follows_every_change() -> None:
    day = Day()
    day.ask()
    look(day.own, "tent", 3.0)
    assert (told := day.ask()) and told.events == 3
    day.side.held["x"] = Held((0, 2), look(look(ClickFacts(), "boots", 1.0), "socks", 4.0))
    assert (told := day.ask()) and told.events == 4
    day.side.held["y"] = Held((0, 1), look(ClickFacts(), "rope", 5.0))
    assert (told := day.ask()) and told.events == 5
    day.side.closed.append(Stretch(0, day.own))
    day.customer.clickstream = ClickFacts(next=day.own.next)
    assert (told := day.ask()) and told.events == 5
    look(day.customer.clickstream, "stove", 6.0)
    assert (told := day.ask()) and told.events == 6
    day.side.closed[0].owner = "bob"
    assert (told := day.ask()) and told.events == 4
    day.side.held["x"] = Held((0, 3))
    assert (told := day.ask()) and told.events == 2
    day.customer.identity = Identity(clickstream=day.side, owner="bob")
    assert (told := day.ask()) and told is day.customer.clickstream


def test_feedback_goes_with_the_owner() -> None:
    day = Day()
    day.customer.feedback = FeedbackFacts(events=1)
    assert day.ask() and person_of(day.turn, KEY, day.customer).feedback is day.customer.feedback
    day.customer.identity = Identity(owner="bob")
    day.ask()
    assert person_of(day.turn, KEY, day.customer).feedback is None


def test_who_has_one_id_is_not_joined() -> None:
    customer = Customer(clickstream=ClickFacts())
    assert person_of(Turn[Customer](0.0, 0.0, {}), KEY, customer) is customer is whole(customer)


def test_another_word_is_told() -> None:
    day = Day()
    with pytest.raises(AttributeError, match="wanted clicks"):
        person_of(day.turn, KEY, day.customer).clicks  # type: ignore[attr-defined]  # noqa: B018
