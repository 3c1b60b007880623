"""An event as the Segment call an SDK would have sent: what the collector reads."""

from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.event import MICROS, ORDERED, Product
from streams.tools.replay.rows import Row


def call(row: Row) -> bytes:
    """A `track` call, as JSON."""
    event = row.event
    properties: dict[str, Any] = dict(event.properties)
    if event.name in (ORDERED,) or len(event.products) != 1:
        properties["products"] = [_product(product) for product in event.products]
    else:
        properties |= _product(event.products[0])
    properties |= {name: value for name, value in _said(row).items() if value}
    return orjson.dumps(
        {
            "type": "track",
            "event": event.name,
            "messageId": event.id,
            "userId" if row.known else "anonymousId": row.customer,
            "timestamp": datetime.fromtimestamp(event.time, UTC).isoformat(),
            "channel": event.channel,
            "properties": properties,
            "context": {"sessionId": event.session} if event.session else {},
        }
    )


def _said(row: Row) -> dict[str, Any]:
    event = row.event
    return {
        "total": event.total / MICROS,
        "currency": event.currency,
        "order_id": event.order,
        "cart_id": event.cart,
        "coupon": event.coupon,
        "query": event.query,
    }


def _product(product: Product) -> dict[str, Any]:
    said = {
        "product_id": product.id,
        "name": product.name,
        "category": product.category,
        "brand": product.brand,
        "variant": product.variant,
        "price": product.price / MICROS,
    }
    return {name: value for name, value in said.items() if value} | {"quantity": product.quantity}
