# cython: binding=False, cdivision=True
"""`read_batch`, `read_call` and `convert`, compiled: twins of those in `calls` and `records`, which say what is done and
why, and serve where nothing was compiled. The same records come of both, to the byte.

How it works. What SDKs send is read without an object made of it (`_scan.pxi`): of each event it is noted where its
values lie. The record is written from there (`_write.pxi`), most of it copied: texts that msgspec would write as they
were read, numbers whose text is the shortest already. Whatever is out of the ordinary (escapes that change, ids beyond
ASCII, numbers as text, traits, feedback, a fault) is given to the twin, which reads that event from its bytes; where a
body may not be what it should be, the twin reads all of it. So nothing is refused here.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport rint
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from msgspec import DecodeError
from msgspec.json import Encoder

from schemas.topics import CLICKSTREAM as CLICKSTREAM_, FEEDBACK as FEEDBACK_
from schemas.wire import calls as calls_, commerce, names as names_, person, records as records_, values
from schemas.wire.values import Fault as Fault_

cdef enum:  # members of a call
    TYPE, EVENT, MESSAGE, USER, ANONYMOUS, TIMESTAMP, ORIGINAL, SENT, NAMED, PREVIOUS, GROUP, KEY
    WAY, SECTION, TRAITS, CONTEXT, PROPERTIES, OWN

cdef enum:  # of its context
    LIBRARY, DEVICE, SYSTEM, ZONE, CHANNEL, SHARED, CONSENT, SESSION, IDS, RELATED, PROOF, ABOUT

cdef enum:  # of what lies in that
    NAME, SORT, TOKEN, PARTS

cdef enum:  # of a line in a list of products; the first ones tell its id
    PRICE = 4
    PIECES, TITLE, CATEGORY, BRAND, VARIANT, SIZE, GA4, LINE

cdef enum:  # properties; those of a line come first, for they may describe a product
    LISTS = LINE
    TOTALS = LISTS + 2
    TEXTS = TOTALS + 3
    CURRENCY = TEXTS + 24
    WHERE, DWELL, RARE, ROLES

cdef enum:  # texts with a field of their own
    ORDER, CART, VISIT, COUPON, QUERY, STORE, COMPLAINT, TEXT_FIELDS

cdef enum:  # topics: for every key, for a server's, with records of another kind
    OPEN, GUARDED, OTHER

cdef enum:
    ID_MOST = 128
    MEMBERS_MOST = 60
    ROUTES_MOST = 128

include "_scan.pxi"

cdef Table CALL, ABOUT_CALL, PART, ITEM, PROPERTY, NAMES, CHANNELS, LIBRARIES, DEVICES, SYSTEMS, ROOT
cdef Py_ssize_t TEXT_MOST = values.TEXT_MOST, MESSAGE_MOST = records_.ID_MOST
cdef long long PIECES_MOST = commerce.QUANTITY_MOST
cdef double DAY = commerce.DAY, MICROS = values.MICROS, FLOAT_SURE = values._FLOAT_SURE
cdef object encode = Encoder().encode, read_event = calls_._call, Fault = Fault_, Clock = records_._Clock
cdef str TILL = person.POS_SOURCE, CLICKSTREAM = CLICKSTREAM_

cdef list routed = sorted(set(names_.ROUTED.values()))
cdef list topics = [topic for _, topic in routed]
cdef list spelled = [name.encode() for name, _ in routed]
cdef int PAGE = routed.index((records_.PAGE, CLICKSTREAM)), SCREEN = routed.index((records_.SCREEN, CLICKSTREAM))
cdef int RIGHTS[ROUTES_MOST]
cdef int FIRST[TEXT_FIELDS + 1]
cdef list seen_at = [b"", *sorted({place.encode() for place in person.CHANNELS.values()})]
cdef int WEB = seen_at.index(person.WEB.encode()), APP = seen_at.index(person.APP.encode())
cdef int TILLS = seen_at.index(person.STORE.encode())


def fill_tables():
    """From what the twins go by. Raises ImportError when they know more than this code."""
    own = "type event messageId userId anonymousId timestamp originalTimestamp sentAt name previousId groupId writeKey"
    own = [*own.split(), "channel", "category", "traits", "context", "properties"]
    about = "library device os timezone channel traits consent sessionId externalIds related identityToken".split()
    texts = "order cart session coupon query store complaint".split()
    known = {*own} == {*calls_.Call.__struct_encode_fields__} and {*about} == {*calls_.Context.__struct_encode_fields__}
    if not known or texts != [field for field, _ in commerce.TEXTS] or len(routed) > ROUTES_MOST:
        raise ImportError("schemas.wire tells of more than its core knows")
    fill(&CALL, roles_of(own))
    fill(&ABOUT_CALL, roles_of(about))
    fill(&PART, roles_of(("name", "type", "token")))
    fill(&ROOT, roles_of(("batch", "context", "sentAt", "writeKey")))
    fill(&NAMES, {name: routed.index(route) for name, route in names_.ROUTED.items()})
    fill(&CHANNELS, {name: seen_at.index(place.encode()) for name, place in person.CHANNELS.items()})
    fill(&LIBRARIES, {name: seen_at.index(place.encode()) for name, place in person.LIBRARIES.items()})
    fill(&DEVICES, {name: seen_at.index(place.encode()) for name, place in person.DEVICES.items()})
    fill(&SYSTEMS, {name: seen_at.index(place.encode()) for name, place in person.SYSTEMS.items()})
    line = roles_of(("price", "quantity", "name", "category", "brand", "variant", "size"), PRICE)
    line |= {"item_name": GA4, "item_category": GA4}
    ids = roles_of(commerce.PRODUCT_IDS)
    fill(&ITEM, line | ids | {"id": PRICE - 1})
    rare = dict.fromkeys((*commerce.FELT, *dict(commerce.DWELLS)), RARE) | {"dwell": DWELL}
    told = roles_of([name for _, some in commerce.TEXTS for name in some], TEXTS)
    lists, totals = roles_of(commerce.LISTS, LISTS), roles_of(commerce.TOTALS, TOTALS)
    fill(&PROPERTY, line | ids | lists | totals | told | rare | {"currency": CURRENCY, "channel": WHERE})
    for at, topic in enumerate(topics):
        RIGHTS[at] = OTHER if topic == FEEDBACK_ else GUARDED if topic in names_.SERVER_ONLY else OPEN
    for at, (_, some) in enumerate(commerce.TEXTS):
        FIRST[at + 1] = FIRST[at] + len(some)
    FIRST[0] = 0


def roles_of(names, first=0):
    return {name: first + at for at, name in enumerate(names)}


FIRST[0] = 0
fill_tables()

cdef struct Call:
    Place at
    Py_ssize_t size
    int first, many  # its properties
    Value own[OWN]
    Value about[ABOUT]

include "_write.pxi"


cdef class Scan:
    """What `calls.Calls` is to the twin: what a request brought, read and not yet made anything of."""

    cdef bytes body
    cdef Call *calls
    cdef Member *members
    cdef int many, room, members_many, members_room
    cdef Py_ssize_t most
    cdef dict odd  # number of an event -> what the twin read of it
    cdef str type
    cdef bytes spelled
    cdef readonly object sent_at, context
    cdef readonly str write_key

    def __cinit__(self, bytes body, str type, Py_ssize_t most):
        self.body, self.type, self.spelled, self.most = body, type, type.encode(), most
        self.odd, self.write_key = {}, ""

    def __dealloc__(self):
        free(self.calls)
        free(self.members)

    def __len__(self):
        return self.many

    def raw(self, int index):
        """The bytes of one event, as sent."""
        return self.body if self.type else <bytes>self.calls[index].at[:self.calls[index].size]

    def item(self, int index):
        """As the twin reads it."""
        call = self.odd.pop(index, None) or read_event(self.raw(index))
        if self.type:
            call.type = self.type
        return call

    cdef bint batch(self, Py_ssize_t event_bytes) except -1:
        """Whether all of it could be read."""
        cdef Value root[4]
        cdef Value name
        cdef Place p = blank(<Place>PyBytes_AS_STRING(self.body))
        cdef int role
        memset(root, 0, sizeof(root))
        if p[0] != c"{":
            return False
        p = blank(p + 1)
        while True:
            p = key(p, &name)
            if p == NULL:
                return False
            role = find(&ROOT, name.at, name.size)
            if role >= 0 and root[role].kind != ABSENT:
                return False
            if role == 0:
                root[0].kind = LIST
                p = self.events(p)
            else:
                p = value(p, &name, 2)
                if p == NULL or name.seen & ODD:
                    return False
                if role > 0:
                    root[role] = name
            if p == NULL:
                return False
            p = blank(p)
            if p[0] != c",":
                break
            p = blank(p + 1)
        if p[0] != c"}" or root[0].kind == ABSENT or root[1].kind > NULL_:
            return False
        if not (said(&root[2]) and said(&root[3])):
            return False
        if root[2].kind == TEXT:
            self.sent_at = string(&root[2])
        return self.whole(p + 1, event_bytes, &root[3])

    cdef bint call(self, Py_ssize_t event_bytes) except -1:
        """The same of a body that is one event."""
        cdef Value none
        none.kind = ABSENT
        cdef Place p = blank(<Place>PyBytes_AS_STRING(self.body))
        p = self.event(p) if p[0] == c"{" else NULL
        if p == NULL or not self.whole(p, event_bytes, &none):
            return False
        cdef Value *type = &self.calls[0].own[TYPE]
        type.at, type.size, type.kind, type.seen = self.spelled, len(self.spelled), TEXT, 0
        return True

    cdef Place events(self, Place p) except? NULL:
        if p[0] != c"[":
            return NULL
        p = blank(p + 1)
        if p[0] == c"]":
            return p + 1
        while p[0] == c"{":
            p = self.event(p)
            if p == NULL:
                return NULL
            p = blank(p)
            if p[0] == c"]":
                return p + 1
            if p[0] != c",":
                return NULL
            p = blank(p + 1)
        return NULL

    cdef Place event(self, Place p) except? NULL:
        """One event, from its brace on. What the twin shall read is read by it here."""
        cdef Value name
        cdef int role, seen = 0
        if self.many == self.most:
            return NULL
        if self.many == self.room:
            self.room = self.room * 2 + 32
            self.calls = <Call *>larger(self.calls, self.room * sizeof(Call))
        cdef Call *call = &self.calls[self.many]
        memset(call, 0, sizeof(Call))
        call.at, call.first = p, self.members_many
        p = blank(p + 1)
        while p[0] != c"}":
            p = key(p, &name)
            if p == NULL:
                return NULL
            role = find(&CALL, name.at, name.size)
            if role >= 0:
                seen |= ODD if call.own[role].kind != ABSENT else 0
            if role == PROPERTIES and p[0] == c"{":
                call.own[role].kind = OBJECT
                p = self.properties(p, &seen)
            elif role == CONTEXT and p[0] == c"{":
                call.own[role].kind = OBJECT
                p = fields(p, &ABOUT_CALL, call.about, 2, &seen)
            else:
                p = value(p, &name, 2)
                if p == NULL:
                    return NULL
                seen |= name.seen
                if role >= 0:
                    call.own[role] = name
                    seen |= ODD if role < SECTION and name.kind >= LIST else 0
            if p == NULL:
                return NULL
            p = blank(p)
            if p[0] == c",":
                p = blank(p + 1)
                if p[0] == c"}":
                    return NULL
            elif p[0] != c"}":
                return NULL
        call.size, call.many = p + 1 - call.at, self.members_many - call.first
        self.many += 1
        if seen & ODD or not said(&call.own[KEY]):
            try:
                self.odd[self.many - 1] = read_event(self.raw(self.many - 1))
            except (DecodeError, ValueError, RecursionError):
                return NULL
        return p + 1

    cdef Place properties(self, Place p, int *seen) except? NULL:
        cdef Member *member
        p = blank(p + 1)
        if p[0] == c"}":
            return p + 1
        while True:
            if self.members_many == self.members_room:
                self.members_room = self.members_room * 2 + 512
                self.members = <Member *>larger(self.members, self.members_room * sizeof(Member))
            member = &self.members[self.members_many]
            p = key(p, &member.key)
            if p == NULL:
                return NULL
            member.role = find(&PROPERTY, member.key.at, member.key.size)
            p = value(p, &member.value, 3)
            if p == NULL:
                return NULL
            seen[0] |= member.value.seen
            self.members_many += 1
            p = blank(p)
            if p[0] != c",":
                return p + 1 if p[0] == c"}" else NULL
            p = blank(p + 1)

    cdef bint whole(self, Place end, Py_ssize_t event_bytes, const Value *root) except -1:
        """Whether nothing comes after the end, nor is anything too large; and the write key."""
        cdef int at
        if blank(end) != <Place>PyBytes_AS_STRING(self.body) + len(self.body):
            return False
        if root.kind == TEXT:
            self.write_key = string(root)
        for at in range(self.many):
            if self.calls[at].size > event_bytes or not said(&self.calls[at].own[KEY]):
                return False
            if not self.write_key and self.calls[at].own[KEY].kind == TEXT:
                self.write_key = string(&self.calls[at].own[KEY])
        return True


cdef bint said(const Value *v) noexcept nogil:
    """Plain text, or nothing."""
    return v.kind <= NULL_ or (v.kind == TEXT and v.seen == 0)


cdef str string(const Value *v):
    return (<bytes>v.at[:v.size]).decode("ascii")


cdef void *larger(void *block, size_t size) except NULL:
    block = realloc(block, size)
    if block == NULL:
        raise MemoryError()
    return block


cdef bint is_utf8(bytes body):
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            return False
    return True


def read_batch(bytes body, Py_ssize_t event_bytes, Py_ssize_t most):
    cdef Scan scan = Scan(body, "", most)
    if is_utf8(body) and scan.batch(event_bytes):
        return scan
    return calls_.read_batch(body, event_bytes, most)


def read_call(bytes body, str type, Py_ssize_t event_bytes):
    cdef Scan scan = Scan(body, type, 1)
    if len(body) <= event_bytes and is_utf8(body) and scan.call(event_bytes):
        return scan
    return calls_.read_call(body, type, event_bytes)


def convert(calls, sender):
    cdef list records = [], bad = []
    cdef Scan scan
    cdef Writer writer
    cdef int at
    if not isinstance(calls, Scan) or type(sender.received) is not float:
        return records_.convert(calls, sender)
    scan = calls
    clock = Clock(scan, sender)
    writer = Writer(scan, sender, clock)
    for at in range(scan.many):
        record = None if at in scan.odd else writer.record(&scan.calls[at])
        if record is None:
            item = scan.item(at)
            try:
                record = records_._record(item, None, sender, clock)
            except Fault as fault:
                bad.append(records_.Bad(fault, scan.raw(at), records_._customer_of(item)))
                continue
        records.append(record)
    return records, bad
