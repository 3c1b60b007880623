"""Event names: GA4's and Segment's older ones as aliases of the e-commerce v2 names, and the topic each belongs to."""

from typing import Final

from schemas.event import (
    CART_NAMES,
    COMPLAINED,
    IDENTIFIED,
    LIST_VIEWED,
    ORDERED,
    PAGE,
    POS_NAMES,
    PRODUCT_CLICKED,
    PRODUCT_VIEWED,
    SCREEN,
    SEARCHED,
    SETTLED,
    SURVEYED,
)
from schemas.topics import CART, CLICKSTREAM, FEEDBACK, POS

JOINED: Final = "Group Joined"
"""What a `group` call becomes."""

ALIASES: Final = {
    # Segment's e-commerce v1
    "Viewed Product Category": LIST_VIEWED,
    "Viewed Product": PRODUCT_VIEWED,
    "Clicked Product": PRODUCT_CLICKED,
    "Added Product": "Product Added",
    "Removed Product": "Product Removed",
    "Viewed Cart": "Cart Viewed",
    "Started Checkout": "Checkout Started",
    "Viewed Checkout Step": "Checkout Step Viewed",
    "Completed Checkout Step": "Checkout Step Completed",
    "Completed Order": ORDERED,
    "Viewed Promotion": "Promotion Viewed",
    "Clicked Promotion": "Promotion Clicked",
    "Complaint Resolved": SETTLED,
    "Survey Submitted": SURVEYED,
    "Survey Completed": SURVEYED,
    # GA4
    "search": SEARCHED,
    "view_search_results": SEARCHED,
    "view_item_list": LIST_VIEWED,
    "select_item": PRODUCT_CLICKED,
    "view_item": PRODUCT_VIEWED,
    "view_promotion": "Promotion Viewed",
    "select_promotion": "Promotion Clicked",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "view_cart": "Cart Viewed",
    "begin_checkout": "Checkout Started",
    "add_shipping_info": "Checkout Step Completed",
    "add_payment_info": "Payment Info Entered",
    "add_to_wishlist": "Product Added to Wishlist",
    "purchase": ORDERED,
    "refund": "Order Refunded",
    "share": "Product Shared",
    "page_view": PAGE,
    "screen_view": SCREEN,
}

FEEDBACK_NAMES: Final = {
    f"Trigger {what.capitalize()}": what for what in ("delivered", "opened", "clicked", "converted", "dismissed")
}

ROUTES: Final = {
    **dict.fromkeys((PAGE, SCREEN, IDENTIFIED, JOINED), CLICKSTREAM),
    **dict.fromkeys((SEARCHED, LIST_VIEWED, PRODUCT_VIEWED, PRODUCT_CLICKED), CLICKSTREAM),
    **dict.fromkeys((COMPLAINED, SETTLED, SURVEYED), CLICKSTREAM),
    **dict.fromkeys(CART_NAMES, CART),
    **dict.fromkeys(POS_NAMES, POS),
    **dict.fromkeys(FEEDBACK_NAMES, FEEDBACK),
}
"""Name -> topic. A name that is not here goes to clickstream."""

ROUTED: Final = {
    **{name: (name, topic) for name, topic in ROUTES.items()},
    **{alias: (name, ROUTES.get(name, CLICKSTREAM)) for alias, name in ALIASES.items()},
}
"""Name as sent -> our name and its topic: one look-up an event."""

SERVER_ONLY: Final = frozenset((POS, FEEDBACK))
"""Topics that take no event from a browser key, which everyone can read in a page."""
