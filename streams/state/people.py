"""The person behind an id, read from the store: links are followed to the last owner."""

from msgspec import DecodeError, Struct

from processors.owners import gone
from processors.persons import whole
from schemas.customer import FORMAT, Customer, Erased, decode_customer
from schemas.topics import partition_of
from streams.state.meta import OUTDATED
from streams.state.store import Store, Unfit


class Person(Struct):
    """Who was found."""

    path: list[str]
    """From the id asked for to the person's own key."""
    customer: Customer
    """All that is known of all ids."""
    erased: Erased | None = None
    """Of an id whose owner was erased the date is not known here: 0."""

    @property
    def id(self) -> str:
        return self.path[-1]


async def follow(store: Store, partitions: int, id: str) -> Person | None:
    """None: nobody ever heard of this id, or of whom it belongs to. Raises Unavailable, Unfit."""
    path = [id]
    while True:
        key = path[-1].encode()
        value = await store.slot(partition_of(key, partitions)).customer(key)
        if value is None:
            return None
        customer = read(value)
        owner = customer.identity.owner if customer.identity else ""
        if customer.erased or gone(owner):
            return Person(path, customer, customer.erased or Erased(0.0))
        if not owner or owner in path:
            return Person(path, whole(customer))
        path.append(owner)


def read(value: bytes) -> Customer:
    """Raises Unfit where another version of Kairos kept it."""
    try:
        return decode_customer(value)
    except DecodeError as exc:
        raise Unfit(OUTDATED.format(wanted=FORMAT, got=f"another: {exc}")) from exc
