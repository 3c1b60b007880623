"""Views for tests, made by hand: `view(cart=cart(30.0))`."""

from typing import Any

from processors.view import (
    CartView,
    CustomerView,
    EngagementView,
    EventsView,
    EventView,
    HabitsView,
    ItemView,
    LikesView,
    OrdersView,
    RfmView,
    ServiceView,
    SpentView,
    View,
)
from schemas.customer import Customer

NOW = 1_790_000_000.0


def view(event: EventView | None = None, **parts: Any) -> View:
    """A customer of whom nothing is known, but for the parts given."""
    blank: dict[str, Any] = {
        "now": NOW,
        "customer": CustomerView("ann"),
        "cart": CartView(),
        "orders": OrdersView(),
        "score": 0.0,
        "channel": "web",
        "complements": [],
        "bought": {},
        "events": EventsView(),
        "spent": SpentView(),
        "likes": LikesView(),
        "habits": HabitsView(),
        "service": ServiceView(),
        "rfm": RfmView(),
        "engagement": EngagementView(),
        "segment": "",
        "stage": "",
        "of": Customer(),
    }
    return View(event=event or happened("Product Viewed"), **(blank | parts))


def happened(name: str, **fields: Any) -> EventView:
    known: dict[str, Any] = {"name": name, "id": "m1", "time": NOW, "day": "2026-09-21"}
    return EventView(**(known | fields))


def cart(value: float, *items: str) -> CartView:
    lines = [ItemView(item, item.title(), price=value / len(items or "1")) for item in items or ("boots",)]
    return CartView(True, "c1", value, len(lines), lines, NOW - 2700)


def looked(times: int, *items: str) -> CustomerView:
    return CustomerView("ann", viewed=[ItemView(item, item.title(), times=times) for item in items or ("boots",)])
