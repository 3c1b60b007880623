"""What a customer did, as it lies in the topics `clickstream`, `cart` and `pos`: one JSON object a record.

The record's key is the customer (UTF-8, 1 to 128 bytes, no control characters); the body does not repeat it. Times are
seconds since the epoch, money is whole micros (millionths of the currency's unit), so sums are exact.

Evolution rule: new fields have defaults, types never change; `tests/schemas` keeps yesterday's bytes and reads them.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.json import Decoder, Encoder

from schemas.identity import Link, Marker

MICROS: Final = 1_000_000
"""Micros in one unit of any currency."""

Id = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=512)]
Time = Annotated[float, Meta(ge=0.0, le=4_102_444_800.0)]
Micros = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class Product(Struct, gc=False, omit_defaults=True):
    """A product as an event names it. `price` is for one piece."""

    id: Id
    name: Text = ""
    category: Text = ""
    brand: Text = ""
    variant: Text = ""
    size: Text = ""
    price: Micros = 0
    quantity: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 1


Flags = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=64)], bool], Meta(max_length=32)]


class Traits(Struct, gc=False, omit_defaults=True):
    """What an identify call says of a customer. Addresses stay outside: only whether a channel reaches is kept."""

    zone: Text = ""
    """IANA time zone, as `Europe/Berlin`."""
    consent: Flags = {}
    """Purpose -> given or denied. What is not named is not changed."""
    reach: Flags = {}
    """Delivery channel -> reachable or not."""
    name: Text = ""
    tier: Text = ""
    points: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None
    """Balance of the loyalty account."""


class Event(Struct, omit_defaults=True):
    """One thing a customer did; `name` in the past tense, of Segment's e-commerce v2 names where one fits."""

    id: Id
    """The sender's messageId: what a retry repeats."""
    name: Id
    time: Time
    """When it happened, by the sender's clock, corrected for its skew."""
    received: Time = 0.0
    """When the collector took it in."""
    channel: Text = ""
    """Where the customer was: web, app, store."""
    source: Text = ""
    """The write key's source."""
    anonymous: Text = ""
    """The anonymousId it came with, where the key is a userId."""
    products: list[Product] = []
    total: Micros = 0
    """What the customer pays or gets back, for orders and refunds."""
    currency: Annotated[str, Meta(max_length=8)] = ""
    order: Text = ""
    cart: Text = ""
    session: Text = ""
    coupon: Text = ""
    query: Text = ""
    dwell: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 0.0
    """Seconds spent on what was viewed."""
    traits: Traits | None = None
    store: Text = ""
    device: Text = ""
    """Its kind: ios, android, desktop, ..."""
    sentiment: Annotated[int, Meta(ge=-1, le=1)] | None = None
    """How the customer felt: bad, neither, good."""
    nps: Annotated[int, Meta(ge=0, le=10)] | None = None
    """Answer to "would you recommend us?"."""
    complaint: Text = ""
    """Id of a complaint."""
    properties: dict[str, str | float | bool] = {}
    """Flat properties that have no field above; conditions read them as `event.properties`."""
    links: Annotated[list[Link], Meta(max_length=16)] = []
    """Other ids it names."""
    marker: Marker | None = None
    """Not an event of the customer's: from here on the log belongs to another id. Only the engine writes it."""


decode_event = Decoder(Event).decode
encode_event = Encoder().encode

# -- names, by topic. A name that is not here goes to clickstream and moves nothing but counters.

PAGE, SCREEN, IDENTIFIED = "Page Viewed", "Screen Viewed", "Customer Identified"
SEARCHED, LIST_VIEWED, PRODUCT_VIEWED = "Products Searched", "Product List Viewed", "Product Viewed"
PRODUCT_CLICKED = "Product Clicked"
ADDED, REMOVED, CART_VIEWED, CHECKOUT = "Product Added", "Product Removed", "Cart Viewed", "Checkout Started"
ORDERED, CANCELLED, REFUNDED = "Order Completed", "Order Cancelled", "Order Refunded"
COMPLAINED, SETTLED, SURVEYED = "Complaint Opened", "Complaint Closed", "Survey Answered"

SEGMENT_ENTERED, SEGMENT_LEFT, STAGE_CHANGED = "Segment Entered", "Segment Left", "Stage Changed"
"""Made by the engine, and in no topic: what plays may hear when a customer's standing changes."""

CART_NAMES: Final = frozenset(
    (
        ADDED,
        REMOVED,
        CART_VIEWED,
        CHECKOUT,
        "Checkout Step Viewed",
        "Checkout Step Completed",
        "Payment Info Entered",
        "Coupon Entered",
        "Coupon Applied",
        "Coupon Denied",
        "Coupon Removed",
        "Product Added to Wishlist",
        "Product Removed from Wishlist",
        "Wishlist Product Added to Cart",
    )
)
POS_NAMES: Final = frozenset((ORDERED, "Order Updated", CANCELLED, REFUNDED))
NAMES: Final = (
    CART_NAMES
    | POS_NAMES
    | {PAGE, SCREEN, IDENTIFIED, SEARCHED, LIST_VIEWED, PRODUCT_VIEWED, PRODUCT_CLICKED}
    | {COMPLAINED, SETTLED, SURVEYED}
)
PLACES: Final = frozenset(("web", "app", "store"))
"""Where a customer is seen; anything else counts as `other`."""
STORE: Final = "store"
"""An order seen here was rung up at a till."""
