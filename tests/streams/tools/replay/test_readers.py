"""Each format: golden rows, and rows that cannot be read."""

import gzip
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest

from schemas.event import ADDED, ORDERED, PRODUCT_VIEWED, REFUNDED, Event, Product
from streams.tools.replay import file, online_retail, otto, rees46, retailrocket, segment
from streams.tools.replay.rows import Bad, Call, Item, Read, Row, Unreadable

REES46 = """\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,3900821,20530,appliances.heater,aqua,33.20,554748717,9333dfbd
2019-10-01 00:00:02 UTC,cart,3900821,20530,appliances.heater,aqua,33.20,554748717,9333dfbd
2019-10-01 00:00:05 UTC,purchase,3900821,20530,,,33.20,554748717,9333dfbd
2019-10-01 00:00:06 UTC,burn,3900821,20530,,,33.20,554748717,9333dfbd
2019-10-01 00:00:07 UTC,view,3900821,20530,,,nan,554748717,9333dfbd
2019-10-01 00:00:08 UTC,view,390"""

RETAIL = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,85123A,WHITE HEART ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
1,85123A,WHITE HEART ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
C2,D,Discount,-1,2010-12-01 08:26:00,27.5,14527.0,United Kingdom
1,71053,"LANTERN, METAL",1,2010-12-01 08:27:00,3.39,17850.0,United Kingdom
3,22139,,56,2010-12-01 11:52:00,0.0,,France
3,22139,,many,2010-12-01 11:52:00,0.0,,France
"""


def read(reader: Read, text: str) -> list[Item]:
    return list(reader(text.splitlines(keepends=True)))


def events(items: Iterable[Item]) -> list[Event]:
    return [item.event for item in items if isinstance(item, Row)]


def bad(items: Iterable[Item]) -> list[tuple[int, str]]:
    return [(item.line, item.reason) for item in items if isinstance(item, Bad)]


def test_rees46() -> None:
    items = read(rees46.read, REES46)
    view, cart, order = events(items)
    assert [view.name, cart.name, order.name] == [PRODUCT_VIEWED, ADDED, ORDERED]
    assert (view.time, view.channel, view.session, view.cart) == (1569888000.0, "web", "9333dfbd", "")
    assert view.products == [Product("3900821", category="appliances.heater", brand="aqua", price=33_200_000)]
    assert (cart.cart, order.order, order.total) == ("9333dfbd", "9333dfbd", 33_200_000)
    assert isinstance(items[0], Row) and (items[0].customer, items[0].known) == ("554748717", True)
    assert bad(items) == [
        (5, "ValueError: wanted event_type view, cart, purchase; got 'burn'"),
        (6, "ValueError: cannot convert float NaN to integer"),
        (7, "wanted 9 columns, got 3"),
    ]


def test_online_retail_makes_one_event_an_invoice() -> None:
    items = read(online_retail.read, RETAIL)
    first, back, last = events(items)
    heart = Product("85123A", name="WHITE HEART", price=2_550_000, quantity=6)
    lantern = Product("71053", name="LANTERN, METAL", price=3_390_000, quantity=1)
    assert (first.name, first.order, first.products) == (ORDERED, "1", [heart, heart, lantern])
    assert (first.total, first.channel, first.currency) == (33_990_000, "store", "GBP")
    assert (back.name, back.order, back.total, back.products[0].quantity) == (REFUNDED, "C2", 27_500_000, -1)
    assert last.properties == {"country": "France"}
    rows = [item for item in items if isinstance(item, Row)]
    assert [(row.customer, row.known) for row in rows] == [("17850", True), ("14527", True), ("till-3", False)]
    assert [line for line, _ in bad(items)] == [7]


def test_otto() -> None:
    entries = [{"aid": 7, "ts": 1659304800025, "type": kind} for kind in ("clicks", "carts", "orders", "orders")]
    items = read(otto.read, orjson.dumps({"session": 3, "events": entries}).decode() + "\n{\n")
    view, cart, *orders = events(items)
    assert (view.name, view.time, view.products) == (PRODUCT_VIEWED, 1659304800.025, [Product("7")])
    assert (cart.name, cart.cart, cart.session) == (ADDED, "otto-3", "otto-3")
    assert {order.order for order in orders} == {"otto-3-1659304800025"}
    assert len({event.id for event in events(items)}) == 4
    assert [line for line, _ in bad(items)] == [2]


def test_retailrocket() -> None:
    text = (
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n1433221332118,1,buy,2,3\n"
    )
    items = read(retailrocket.read, text)
    assert events(items)[0].products == [Product("355908")]
    assert isinstance(items[0], Row) and (items[0].customer, items[0].known) == ("257597", False)
    assert [line for line, _ in bad(items)] == [3]


def test_segment_calls_stay_as_they_are() -> None:
    call = '{"type":"track","event":"X","userId":"ann","messageId":"m","timestamp":"2020-01-01T00:00:00Z"}'
    items = read(segment.read, call + '\n[1]\n{"anonymousId":"a"}\n{"timestamp":"never"}\n')
    assert isinstance(items[0], Call)
    assert (orjson.loads(items[0].body), items[0].time) == (orjson.loads(call), 1577836800.0)
    assert isinstance(items[2], Call)
    assert (items[2].customer, orjson.loads(items[2].body)["messageId"][:9]) == ("a", "segment-3")
    assert [line for line, _ in bad(items)] == [2, 4]


def test_another_file_is_told_at_once() -> None:
    with pytest.raises(Unreadable, match="wanted columns event_time"):
        read(rees46.read, RETAIL)


@pytest.mark.parametrize(("reader", "text"), [(rees46.read, REES46), (online_retail.read, RETAIL)])
def test_ids_are_the_rows_own(reader: Read, text: str) -> None:
    ids = [event.id for event in events(read(reader, text))]
    assert ids == [event.id for event in events(read(reader, text))]
    assert len(set(ids)) == len(ids)
    other = [event.id for event in events(read(reader, text.replace("3900821", "3900822").replace("85123A", "85123B")))]
    assert other[0] != ids[0]


def test_a_gzip_stream_that_is_cut_off_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress((REES46 + "\n" * 99).encode())[:-9])
    with file.File(path) as source:
        items = list(file.items(source, rees46.read))
    assert bad(items)[-1][1].startswith("the file ends early")


def test_span_looks_at_the_ends_only(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    head, *rows = REES46.splitlines()
    path.write_text("\n".join([head, rows[0], *[rows[1]] * 5_000, *rows[2:]]))
    assert file.span(path, rees46.read, headed=True) == (1569888000.0, 1569888005.0)
    path.write_text(head)
    assert file.span(path, rees46.read, headed=True) == (0.0, 0.0)
