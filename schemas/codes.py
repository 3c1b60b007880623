"""Short keys and numbers of event names, for counters and timelines: a state repeats no long name.

A name that is not here is a shop's own: it is counted under itself, and is OWN in timelines. Keys and numbers are
written into states, so they never change; new names get new ones.
"""

from typing import Final

from schemas import event

OWN_KEY: Final = "*"
"""Where a shop's own names are counted that are one too many."""
OWN: Final = 0

CODES: Final[dict[str, tuple[str, int]]] = {
    event.PAGE: ("pg", 1),
    event.SCREEN: ("sc", 2),
    event.IDENTIFIED: ("id", 3),
    event.SEARCHED: ("se", 4),
    event.LIST_VIEWED: ("li", 5),
    event.PRODUCT_VIEWED: ("pv", 6),
    event.PRODUCT_CLICKED: ("pc", 7),
    "Promotion Viewed": ("pm", 8),
    "Promotion Clicked": ("pk", 9),
    "Product Shared": ("ps", 10),
    "Product Reviewed": ("pr", 11),
    "Group Joined": ("gj", 12),
    event.ADDED: ("ad", 20),
    event.REMOVED: ("rm", 21),
    event.CART_VIEWED: ("cv", 22),
    event.CHECKOUT: ("co", 23),
    "Checkout Step Viewed": ("cs", 24),
    "Checkout Step Completed": ("cd", 25),
    "Payment Info Entered": ("pi", 26),
    "Coupon Entered": ("ce", 27),
    "Coupon Applied": ("ca", 28),
    "Coupon Denied": ("cn", 29),
    "Coupon Removed": ("cr", 30),
    "Product Added to Wishlist": ("wa", 31),
    "Product Removed from Wishlist": ("wr", 32),
    "Wishlist Product Added to Cart": ("wc", 33),
    event.ORDERED: ("oc", 40),
    "Order Updated": ("ou", 41),
    event.CANCELLED: ("ox", 42),
    event.REFUNDED: ("or", 43),
    event.COMPLAINED: ("ko", 50),
    event.SETTLED: ("kc", 51),
    event.SURVEYED: ("sv", 52),
    "delivered": ("fd", 60),
    "opened": ("fo", 61),
    "clicked": ("fc", 62),
    "converted": ("fv", 63),
    "dismissed": ("fx", 64),
}
"""Event name -> key in counters, number in timelines. The last five are what became of a trigger."""

KEYS: Final = frozenset(key for key, _ in CODES.values()) | {OWN_KEY}
NAMED: Final = {number: name for name, (_, number) in CODES.items()}
"""Number -> event name."""

PLACES: Final = {"web": 1, "app": 2, "store": 3, "push": 4, "email": 5, "line": 6, "sms": 7}
"""Channel -> its number in timelines; 0: none told, 15: another."""
PLACED: Final = {number: place for place, number in PLACES.items()} | {15: "other"}


NAMES: Final = {key: name for name, (key, _) in CODES.items()}


def name_of(key: str) -> str:
    """The name that is counted by a key."""
    return "other" if key == OWN_KEY else NAMES.get(key, key)


KEY_OF: Final = {name: key for name, (key, _) in CODES.items()}
"""A name that is not here is its own key."""
