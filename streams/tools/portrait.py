"""A customer as a person would want to read it: who, what they did, what waits, what was sent and what was not."""

import time
from collections.abc import Mapping
from datetime import datetime

from rich.console import Console

from processors import intent
from processors.carts import cart_view
from processors.persons import aliases, intent_of
from processors.sight import customer_view, orders_view
from processors.touches import timeline
from schemas.codes import name_of
from schemas.customer import Customer, Decisions, Intent, Sent
from schemas.families import ALL, Kept, left_out
from schemas.playbook import Playbook

NEWEST = 10
"""Triggers and refusals shown."""
UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def show(
    id: str, customer: Customer, playbook: Playbook, kept: Kept, command: str, console: Console | None = None
) -> None:
    """Print it. `kept`: families of facts there are."""
    out, now = console or Console(highlight=False), time.time()
    for title, lines in parts(id, customer, playbook, now, kept).items():
        for number, line in enumerate(lines):
            out.print(f"{'' if number else title:<10}", line, markup=False, soft_wrap=True)
    out.print(f"{'in Redis':<10}", command, style="dim", markup=False, soft_wrap=True)


def parts(id: str, customer: Customer, playbook: Playbook, now: float, kept: Kept = ALL) -> dict[str, list[str]]:
    """Title -> lines; what there is nothing of is left out. `now`: seconds since the epoch."""
    decisions = customer.decisions or Decisions()
    found = {
        "who": _who(id, customer),
        "did": _did(customer, now),
        "stands": _stands(decisions, now),
        "cart": _cart(customer, now),
        "orders": _orders(customer, now),
        "intent": _intent(intent_of(customer, playbook.intent.half_life), playbook, now),
        "waiting": _waiting(decisions, now),
        "sent": _sent([*decisions.sent, *(customer.identity.sent if customer.identity else ())], now),
        "refused": _refused(decisions, now),
        "timeline": _timeline(customer),
        "not kept": [", ".join(left_out(kept))] if kept != ALL else [],
    }
    return {title: lines for title, lines in found.items() if lines}


def _who(id: str, customer: Customer) -> list[str]:
    clicks, view = customer.clickstream, customer_view(customer, id.encode())
    said = [id, view.name, view.tier, view.zone]
    lines = [", ".join(filter(None, said))]
    if clicks:
        told = {"consent": clicks.consent, "reach": clicks.reach}
        lines += [f"{name}: {_flags(flags)}" for name, flags in told.items() if flags]
        near = [f"{near.relation} {key}" for key, near in clicks.related.items()]
        lines += [f"near: {', '.join(near)}"] if near else []
    others = aliases(customer)
    return lines + ([f"also {', '.join(others)}"] if others else [])


def _did(customer: Customer, now: float) -> list[str]:
    lines = []
    for topic in ("clickstream", "cart", "pos"):
        facts = getattr(customer, topic)
        if facts:
            seen = ", ".join(f"{name_of(key)} {did.count}" for key, did in facts.did.items())
            where = f"; on {_counts(facts.channels)}" if facts.channels else ""
            lines.append(f"{topic}: {seen}; last {ago(now - facts.last)} ago{where}")
    if customer.feedback:
        counts = (f"{channel}: {_counts(what)}" for channel, what in customer.feedback.counts.items())
        lines.append(f"feedback: {'; '.join(counts)}")
    return lines


def _stands(decisions: Decisions, now: float) -> list[str]:
    told = {"segment": (decisions.segment, decisions.segment_since), "stage": (decisions.stage, decisions.stage_since)}
    return [f"{kind} {name}, for {ago(now - since)}" for kind, (name, since) in told.items() if name]


def _timeline(customer: Customer) -> list[str]:
    """The newest touches of all topics."""
    felt = {-1: ", felt bad", 0: ", felt neither", 1: ", felt good", None: ""}
    return [
        f"{at(one.time)} {one.name or 'other'} {one.channel}{felt[one.sentiment]}"
        for one in timeline(customer)[:NEWEST]
    ]


def _cart(customer: Customer, now: float) -> list[str]:
    cart = cart_view(customer.cart, customer.pos) if customer.cart else None
    if not cart or not cart.open:
        return []
    items = [f"{item.quantity} x {item.name or item.id} at {item.price:,.2f}" for item in cart.items]
    return [f"open, worth {cart.value:,.2f}, touched {ago(now - cart.touched)} ago", *items]


def _orders(customer: Customer, now: float) -> list[str]:
    if not customer.pos:
        return []
    orders, currency = orders_view(customer.pos), customer.pos.currency[1]
    lines = [f"{orders.count}, of them {orders.receipts} at a till; {orders.spent:,.2f} {currency} in all".rstrip()]
    if orders.last:
        lines.append(f"last {orders.id or 'one'} {ago(now - orders.last)} ago: {', '.join(orders.products[:NEWEST])}")
    return lines


def _intent(warmth: Intent | None, playbook: Playbook, now: float) -> list[str]:
    if not warmth or not warmth.sums:
        return []
    terms = intent.terms(warmth, playbook.intent, now)
    told = " ".join(f"{name} {value:+.2f}" for name, value in terms.items())
    return [f"{intent.logistic(sum(terms.values())):.2f} now, from {told}"]


def _waiting(decisions: Decisions, now: float) -> list[str]:
    return [
        f"{play}: {_due(one.due - now)}, {'held for quiet hours' if one.held else f'since {one.name}'}"
        for play, one in sorted(decisions.waiting.items(), key=lambda item: item[1].due)
    ]


def _sent(sent: list[Sent], now: float) -> list[str]:
    newest = sorted(sent, key=lambda sent: -sent.decided)[:NEWEST]
    return [f"{at(one.decided)} {one.play} by {one.channel}, {ago(now - one.decided)} ago, {one.id}" for one in newest]


def _refused(decisions: Decisions, now: float) -> list[str]:
    newest = sorted(decisions.refused, key=lambda refusal: -refusal.decided)[:NEWEST]
    return [
        f"{at(refusal.decided)} {refusal.play}: {refusal.reason}, {refusal.detail}; {ago(now - refusal.decided)} ago"
        for refusal in newest
    ]


def _due(seconds: float) -> str:
    return f"due in {ago(seconds)}" if seconds > 0 else f"due {ago(-seconds)} ago"


def _flags(flags: Mapping[str, bool]) -> str:
    return ", ".join(f"{name} {'yes' if value else 'no'}" for name, value in flags.items())


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def at(moment: float) -> str:
    """A moment in the zone of the one who reads."""
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}"


def ago(seconds: float) -> str:
    """A span of time in its largest unit."""
    for size, unit in UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
