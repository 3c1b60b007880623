"""What is in the cart: worked out when asked, from lines added, lines taken out and orders, by event times.

An online order closes all lines added until then, one at the till those of the products it holds. What was taken out
comes off the lines added last before it: older ones may be in an order already.
"""

from collections.abc import Iterator
from typing import Final

from processors.compiled import compiled
from processors.view import CartView, ItemView
from schemas.event import MICROS
from schemas.facts import CartFacts, Line, PosFacts

NO_CART: Final = CartView()


def cart_view(cart: CartFacts, pos: PosFacts | None) -> CartView:
    """Adds of one product are one item here."""
    items: dict[str, ItemView] = {}
    first, touched, value = "", 0.0, 0
    for line, pieces in open_lines(cart, pos):
        first = first or line.opened
        touched = max(touched, line.added)
        value += line.price * pieces
        one = items.setdefault(line.id, ItemView(line.id, quantity=0))
        one.quantity += pieces
        if line.added >= one.last:
            one.name, one.category, one.price, one.last = line.name, line.category, line.price / MICROS, line.added
    dearest = sorted(items.values(), key=lambda one: (-one.price * one.quantity, one.last, one.id))
    count = sum(one.quantity for one in dearest)
    return CartView(bool(items), first, value / MICROS, count, dearest, touched) if items else NO_CART


def open_lines(cart: CartFacts, pos: PosFacts | None) -> Iterator[tuple[Line, int]]:
    """Lines with pieces that were neither taken out nor ordered, oldest first, and how many pieces."""
    left = what_is_left(cart) if cart.taken else [line.quantity for line in cart.lines]
    online = pos.last_online if pos else -1.0
    bought = purchases(pos, since=cart.lines[0].added) if pos else {}
    for line, pieces in zip(cart.lines, left, strict=True):
        if pieces and line.added > online and line.added > bought.get(line.id, -1.0):
            yield line, pieces


@compiled
def what_is_left(cart: CartFacts) -> list[int]:
    """Pieces left of each line."""
    lines, left = cart.lines, [line.quantity for line in cart.lines]
    for one in cart.taken:
        out = one.quantity
        for at in range(len(lines) - 1, -1, -1):
            if out and lines[at].id == one.id and lines[at].added <= one.at:
                gone = min(out, left[at])
                left[at], out = left[at] - gone, out - gone
    return left


def purchases(pos: PosFacts, since: float = 0.0) -> dict[str, float]:
    """Product -> event time of its latest purchase at or after `since`, online or at the till, of the orders kept."""
    found: dict[str, float] = {}
    for receipt in reversed(pos.receipts):
        if receipt.at < since:
            break
        for product in receipt.products:
            found.setdefault(product, receipt.at)
    return found
