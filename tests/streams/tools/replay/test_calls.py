"""Both ways lead to the same event: the call made of a row, read by the wire, is the row's event again."""

import msgspec
import pytest

from schemas import wire
from schemas.event import decode_event
from streams.tools.replay import online_retail, otto, rees46, retailrocket
from streams.tools.replay.calls import call
from streams.tools.replay.rows import Read, Row
from tests.streams.tools.replay.test_readers import REES46, RETAIL, read

OTTO = (
    '{"session":3,"events":[{"aid":7,"ts":1659304800025,"type":"clicks"},{"aid":7,"ts":1659304800026,"type":"orders"}]}'
)
ROCKET = "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,transaction,355908,77\n"

FILES = [(rees46.read, REES46), (online_retail.read, RETAIL), (otto.read, OTTO), (retailrocket.read, ROCKET)]


@pytest.mark.parametrize(("reader", "text"), FILES, ids=["rees46", "online-retail", "otto", "retailrocket"])
def test_a_row_through_the_wire_is_itself(reader: Read, text: str) -> None:
    rows = [item for item in read(reader, text) if isinstance(item, Row)]
    assert rows
    body = b'{"batch":[' + b",".join(map(call, rows)) + b"]}"
    sender = wire.Sender(4e9, "replay", True, lambda: "made", historical=True)
    records, bad = wire.convert(wire.read_batch(body, 32_768, 100), sender)
    assert not bad
    found = [(key.decode(), msgspec.structs.replace(decode_event(value), received=0.0)) for _, key, value in records]
    assert found == [(row.customer, row.event) for row in rows]
