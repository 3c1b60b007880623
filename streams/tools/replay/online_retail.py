"""Online Retail (UCI): invoices of a gift wholesaler, one line a product, read as receipts of a till.

One event an invoice: `Order Completed`, or `Order Refunded` where its number begins with C. Quantities and prices are
kept as they are, negative ones too (stock corrections, bad debt), and so are doubled lines. An invoice without customer
belongs to an anonymous one of its own.
"""

from collections.abc import Iterable, Iterator

from schemas.event import ORDERED, REFUNDED, Event, Product
from streams.tools.replay.rows import Bad, Item, Row, message_id, micros, table, utc

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
OPEN_SECONDS = 120.0
"""Lines of an invoice may have others between them for so long."""


class Invoice:
    """The lines of an invoice, so far."""

    __slots__ = ("content", "country", "customer", "last", "line", "number", "products", "time")

    def __init__(self, line: int, number: str, time: float, customer: str, country: str) -> None:
        self.line, self.number, self.time, self.last = line, number, time, time
        self.customer, self.country = customer, country
        self.products: list[Product] = []
        self.content: list[str] = []

    def row(self) -> Row:
        """The whole invoice as one event."""
        back = self.number.startswith("C")
        event = Event(
            id=message_id("online-retail", self.line, "\n".join(self.content)),
            name=REFUNDED if back else ORDERED,
            time=self.time,
            channel="store",
            source="replay",
            products=self.products,
            total=-self.sum() if back else self.sum(),
            currency="GBP",
            order=self.number,
            properties={"country": self.country},
        )
        return Row(self.line, self.customer or f"till-{self.number}", event, known=bool(self.customer))

    def sum(self) -> int:
        """Micros."""
        return sum(product.price * product.quantity for product in self.products)


def read(lines: Iterable[str]) -> Iterator[Item]:
    """Invoices in the order they begin in; a bad line is left out of its invoice."""
    invoices: dict[str, Invoice] = {}
    for row in table(lines, COLUMNS):
        if isinstance(row, Bad):
            yield row
            continue
        try:
            time = _add(invoices, *row)
        except (ValueError, OverflowError) as exc:
            yield Bad(row[0], f"{type(exc).__name__}: {exc}")
            continue
        yield from _closed(invoices, time - OPEN_SECONDS)
    yield from (invoice.row() for invoice in invoices.values())


def _add(invoices: dict[str, Invoice], line: int, row: list[str]) -> float:
    number, stock, name, quantity, date, price, customer, country = row
    time = utc(date)
    product = Product(stock, name=name.strip(), price=micros(price), quantity=int(quantity))
    invoice = invoices.get(number)
    if invoice is None:
        invoice = invoices[number] = Invoice(line, number, time, customer.removesuffix(".0"), country)
    invoice.last = time
    invoice.products.append(product)
    invoice.content.append("\x1f".join(row))
    return time


def _closed(invoices: dict[str, Invoice], before: float) -> Iterator[Row]:
    while invoices:
        number, invoice = next(iter(invoices.items()))
        if invoice.last >= before:
            return
        del invoices[number]
        yield invoice.row()
