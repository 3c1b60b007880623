"""Properties -> products, money and the other fields of an event; what has no field stays a flat property.

Takes what it uses out of `properties`, so what is left there is what nobody knew. Senders write their properties in the
same few orders, so which of them tell what is found once for an order (`Plan`), not by a look-up for each name we know.
"""

from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from schemas.event import MICROS, Event, Product
from schemas.wire.values import EXACT, ID_BYTES, TEXT_MOST, Fault, identifier, kind, micros, number, text

PROPERTIES_MOST: Final = 256
QUANTITY_MOST: Final = 1_000_000
DAY: Final = 86_400.0

TOTALS: Final = ("total", "revenue", "value")
ORDERS: Final = ("order_id", "transaction_id", "receipt_id")
SESSIONS: Final = ("session_id", "ga_session_id")
COUPONS: Final = ("coupon", "coupon_name", "coupon_id")
QUERIES: Final = ("query", "search_term")
STORES: Final = ("store_id", "store", "location_id")
COMPLAINTS: Final = ("complaint_id", "ticket_id", "case_id")
MOODS: Final = {
    **dict.fromkeys(("negative", "bad", "angry", "sad"), -1),
    **dict.fromkeys(("neutral", "mixed"), 0),
    **dict.fromkeys(("positive", "good", "happy"), 1),
}
NPS_MOST: Final = 10
DWELLS: Final = (("dwell", 1.0), ("engagement_time_msec", 0.001))

TEXTS: Final = (
    ("order", ORDERS),
    ("cart", ("cart_id",)),
    ("session", SESSIONS),
    ("coupon", COUPONS),
    ("query", QUERIES),
    ("store", STORES),
    ("complaint", COMPLAINTS),
)
"""Field of an event -> properties that may tell it, the first one first."""
FELT: Final = ("sentiment", "nps")
LISTS: Final = ("products", "items")
PRODUCT_IDS: Final = ("product_id", "item_id", "sku")
PLANNED_MOST: Final = 32
"""More properties than these are read without a plan that is kept."""
PLANS_MOST: Final = 256


class Plan(Struct, frozen=True, gc=False):
    """Which properties there are of those we know, by what they tell, in the order in which they are asked."""

    lists: tuple[str, ...]
    ids: tuple[str, ...]
    """Of a product."""
    totals: tuple[str, ...]
    texts: tuple[tuple[str, tuple[str, ...]], ...]
    """As in `TEXTS`."""
    felt: tuple[str, ...]
    dwells: tuple[tuple[str, float], ...]


def plan_of(properties: dict[str, Any]) -> Plan:
    """The plan for these properties."""
    order = tuple(properties)
    return _planned(order) if len(order) <= PLANNED_MOST else _plan(order)


def _plan(order: tuple[str, ...]) -> Plan:
    def there(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in order)

    texts = tuple((field, found) for field, names in TEXTS if (found := there(names)))
    dwells = tuple((name, unit) for name, unit in DWELLS if name in order)
    return Plan(there(LISTS), there(PRODUCT_IDS), there(TOTALS), texts, there(FELT), dwells)


_planned = lru_cache(PLANS_MOST)(_plan)


def products_of(properties: dict[str, Any], plan: Plan) -> list[Product]:
    """The list `products` (GA4: `items`), or the one product the properties themselves describe."""
    for name in plan.lists:
        if type(properties[name]) is list:
            return [p for i, item in enumerate(properties.pop(name)) if (p := _line(item, f"properties.{name}[{i}]"))]
    for name in plan.ids:
        id = properties.pop(name)
        if type(id) is not str or not id or len(id) > ID_BYTES or not (id.isascii() and id.isprintable()):
            id = identifier(id, "properties." + name)
        if id:
            return [_product(id, properties, "properties")]
    return []


def _line(item: Any, place: str) -> Product | None:
    """One line of a list. A line without an id (a gift wrap, a fee) is left out: it must not cost the order."""
    if type(item) is not dict:
        raise Fault(place, f"wanted an object, got {kind(item)}")
    for name in (*PRODUCT_IDS, "id"):
        if found := identifier(item.get(name), f"{place}.{name}"):
            return _product(found, item, place)
    return None


def _product(id: str, given: dict[str, Any], place: str) -> Product:
    if "item_name" in given or "item_category" in given:
        for name in ("name", "category", "brand", "variant"):
            if "item_" + name in given:
                given[name] = given.pop("item_" + name)
    pop = given.pop
    price, pieces = pop("price", 0), pop("quantity", 1)
    money = micros(price, ".price", place) if price else 0
    if type(pieces) is not int or not -QUANTITY_MOST <= pieces <= QUANTITY_MOST:
        money, pieces = _by_weight(money, pieces, place)
    name, category, brand = pop("name", ""), pop("category", ""), pop("brand", "")
    return Product(
        id,
        name if type(name) is str and len(name) <= TEXT_MOST else text(name),
        category if type(category) is str and len(category) <= TEXT_MOST else text(category),
        brand if type(brand) is str and len(brand) <= TEXT_MOST else text(brand),
        text(pop("variant")) if "variant" in given else "",
        text(pop("size")) if "size" in given else "",
        money,
        pieces,
    )


def _by_weight(money: int, given: Any, place: str) -> tuple[int, int]:
    """Price and quantity where the quantity is no whole number: one piece at the line's price, so sums stay right."""
    pieces = 1.0 if given is None or given == "" else number(given, place + ".quantity")
    if not -QUANTITY_MOST <= pieces <= QUANTITY_MOST:
        raise Fault(place + ".quantity", f"wanted at most {QUANTITY_MOST}")
    if pieces == int(pieces):
        return money, int(pieces)
    return micros(money * pieces / MICROS, place + ".price"), 1


def fill(event: Event, properties: dict[str, Any], plan: Plan) -> None:
    """What only some events tell."""
    for name in plan.totals:
        if properties[name] not in (None, ""):
            event.total = micros(properties.pop(name), "properties." + name)
            break
    for field, names in plan.texts:
        for name in names:
            if found := text(properties[name]):
                del properties[name]
                setattr(event, field, found)
                break
    if plan.felt:
        _feel(event, properties)
    for name, unit in plan.dwells:
        given = properties.pop(name)
        seconds = (given if type(given) is float else number(given, "properties." + name)) * unit
        event.dwell = seconds if 0.0 <= seconds <= DAY else min(max(seconds, 0.0), DAY)


def _feel(event: Event, properties: dict[str, Any]) -> None:
    if "sentiment" in properties:
        event.sentiment = mood(properties.pop("sentiment"))
    if properties.get("nps") not in (None, ""):
        event.nps = _score(properties.pop("nps"))


def mood(value: Any) -> int | None:
    """Bad, neither or good, of a word or the sign of a number; None: not told."""
    if type(value) is str and value.lower() in MOODS:
        return MOODS[value.lower()]
    try:
        felt = number(value, "properties.sentiment") if value not in (None, "") else None
    except Fault:
        return None
    return None if felt is None else (felt > 0.0) - (felt < 0.0)


def _score(value: Any) -> int:
    """An answer from 0 to 10."""
    score = number(value, "properties.nps")
    if score != int(score) or not 0 <= score <= NPS_MOST:
        raise Fault("properties.nps", f"wanted a whole number from 0 to {NPS_MOST}")
    return int(score)


def flat(properties: dict[str, Any]) -> dict[str, Any]:
    """What is left: texts, numbers, yes and no. Lists, objects and nulls are not kept."""
    if len(properties) > PROPERTIES_MOST:
        raise Fault("properties", f"wanted at most {PROPERTIES_MOST}, got {len(properties)}")
    dropped = None
    for name, value in properties.items():
        sort = type(value)
        if sort is str or sort is float or sort is bool:
            continue
        if sort is int:
            if not -EXACT <= value <= EXACT:
                raise Fault(f"properties.{name[:64]}", "wanted a whole number within 2^53")
        elif dropped is None:
            dropped = [name]
        else:
            dropped.append(name)
    for name in dropped or ():
        del properties[name]
    return properties
