"""The wire: Segment-compatible JSON, as SDKs send it, -> our events and feedback, each with its topic and key.

What is decided here:

- **Who may send what.** Everyone can read a browser key in a page. It may send behaviour (clickstream, cart) and
  identify with a userId, which sets traits and links nothing: an anonymousId beside the userId is left out, unless
  `context.identityToken` proves the userId (HMAC-SHA256 of it under `KAIROS_IDENTITY_SECRET`, in hexadecimal). Orders,
  refunds and receipts (topic `pos`), feedback, alias and other ids need a server key; from a browser key those events
  are `forbidden`. So a web shop sends `Order Completed` from its server, where it knows that the order is paid.
- **Whose event it is.** The key is the userId, else the greatest of `context.externalIds` (`[{type, id}]`: a member
  card at the till, an e-mail address; server keys only), else the anonymousId. An event claims that all ids it names
  are one person's; an alias claims it of the previousId. `context.related` names persons near: nothing is joined.
- **When it happened.** `received - (sentAt - timestamp)`, within the day before it was received. An import with a
  server key keeps its times, but none in the future.
- **What is kept.** Fields we know, flat properties we do not know; lists and objects among those are dropped. Of
  addresses only that there is one. Texts are cut at 512 characters; ids are refused, never cut.
- **A name nobody knows** goes to clickstream as it came.

`read_call` and `read_batch` read the bytes, `convert` makes records of what they found; where there was a compiler, a
compiled core does both (`compiled`).
"""

from schemas.wire.calls import Calls as Calls
from schemas.wire.compiled import convert as convert
from schemas.wire.compiled import read_batch as read_batch
from schemas.wire.compiled import read_call as read_call
from schemas.wire.records import Bad as Bad
from schemas.wire.records import Record as Record
from schemas.wire.records import Sender as Sender
from schemas.wire.values import FORBIDDEN as FORBIDDEN
from schemas.wire.values import INVALID as INVALID
from schemas.wire.values import OVERSIZE as OVERSIZE
from schemas.wire.values import UNPARSABLE as UNPARSABLE
from schemas.wire.values import Fault as Fault
