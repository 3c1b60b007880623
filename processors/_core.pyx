# cython: binding=False
# Plain builtins: Python calls them faster than functions that can be bound to an object.
"""The hot functions of the fold, compiled. Each is the twin of a Python function of the same name, which says what it
does and why; that one serves where nothing was compiled, and here in the rare cases (`processors.compiled`).

How it works. Both work on the same Structs, lists, dicts and bytes. What a function of Python pays for is reaching the
fields of a Struct and making numbers and calls. A Struct keeps its fields as pointers at fixed places, which the
descriptors of its class tell: read once, when this module is imported, they make of a field one pointer. So a function
first looks at all it is about to change. Is anything out of the ordinary (another class, a time that does not fit, an
event that came late), it has changed nothing yet and gives the call to its twin.

Two rules. A field is written by `put_field` only when its value is an int, a float, a str or bytes: with what the
cycle collector must know, a Struct must be told (`PyObject_SetAttr`). Floats are added and multiplied in the twin's
order, and the compiler is told not to fuse the two (`hatch_build.py`): the bytes of a state are the same.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError, PyDict_Next
from cpython.object cimport PyObject
from libc.math cimport exp, log1p
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from processors._slots cimport IS, IS_KIND_OF, append, field, place, put_field

from math import log

from xxhash import xxh3_64_digest

from processors.compiled import TWINS as twins
from schemas import codes, facts as bounds
from schemas.customer import Intent
from schemas.event import COMPLAINED, MICROS as MICROS_, PLACES as PLACES_, PRODUCT_VIEWED, SETTLED, Event, Product
from schemas.facts import Cell, ClickFacts, Did, EventFacts, Likes, Line, Seen, Taken, Viewed


cdef Py_ssize_t SEEN_NOW = place(Seen, "now"), SEEN_BEFORE = place(Seen, "before"), SEEN_SINCE = place(Seen, "since")
cdef Py_ssize_t INTENT_AT = place(Intent, "at"), INTENT_SUMS = place(Intent, "sums")
cdef Py_ssize_t CELL_AT = place(Cell, "at"), CELL_COUNTS = place(Cell, "counts")
cdef Py_ssize_t DID_COUNT = place(Did, "count"), DID_AT = place(Did, "at")
cdef Py_ssize_t MINUTES = place(EventFacts, "minutes"), HOURS = place(EventFacts, "hours")
cdef Py_ssize_t DAYS = place(EventFacts, "days"), DID = place(EventFacts, "did"), EVENTS = place(EventFacts, "events")
cdef Py_ssize_t FIRST = place(EventFacts, "first"), LAST = place(EventFacts, "last")
cdef Py_ssize_t TOUCHES = place(EventFacts, "touches"), CHANNELS = place(EventFacts, "channels")
cdef Py_ssize_t CLOCK = place(EventFacts, "clock"), WEEKDAYS = place(EventFacts, "weekdays")
cdef Py_ssize_t STORES = place(EventFacts, "stores"), DEVICES = place(EventFacts, "devices")
cdef Py_ssize_t VIEWED = place(ClickFacts, "viewed"), CUT = place(ClickFacts, "cut")
cdef Py_ssize_t CATEGORIES = place(Likes, "categories"), BRANDS = place(Likes, "brands")
cdef Py_ssize_t BANDS = place(Likes, "bands"), SIZES = place(Likes, "sizes")
cdef Py_ssize_t VIEWED_ID = place(Viewed, "id"), LOOKS = place(Viewed, "looks"), VIEWED_NAME = place(Viewed, "name")
cdef Py_ssize_t VIEWED_CATEGORY = place(Viewed, "category"), VIEWED_BRAND = place(Viewed, "brand")
cdef Py_ssize_t VIEWED_PRICE = place(Viewed, "price")
cdef Py_ssize_t ADDED = place(Line, "added"), LINE_ID = place(Line, "id"), TAKEN_AT = place(Taken, "at")
cdef Py_ssize_t TAKEN_ID = place(Taken, "id"), TAKEN_QUANTITY = place(Taken, "quantity")
cdef Py_ssize_t NAME = place(Event, "name"), TIME = place(Event, "time"), CHANNEL = place(Event, "channel")
cdef Py_ssize_t SENTIMENT = place(Event, "sentiment"), STORE = place(Event, "store"), DEVICE = place(Event, "device")
cdef Py_ssize_t SESSION = place(Event, "session"), TOLD_SESSION = place(ClickFacts, "session")
cdef Py_ssize_t PRODUCTS = place(Event, "products"), LIKES = place(ClickFacts, "likes"), LINKS = place(Event, "links")
cdef Py_ssize_t ANONYMOUS = place(Event, "anonymous"), TRAITS = place(Event, "traits"), NPS = place(Event, "nps")
cdef Py_ssize_t PRODUCT_ID = place(Product, "id"), PRODUCT_NAME = place(Product, "name")
cdef Py_ssize_t CATEGORY = place(Product, "category"), BRAND = place(Product, "brand")
cdef Py_ssize_t SIZE = place(Product, "size"), PRICE = place(Product, "price")

cdef Py_ssize_t FULL = bounds.SEEN_MOST * 8, FEW = 64 * 8
cdef double SEEN_SECONDS = bounds.SEEN_SECONDS, LN2 = log(2.0), TOO_LATE = 2.0 ** 32
cdef uint32_t BUCKET = bounds.MINUTES, BUCKETS_MOST = bounds.MINUTES_MOST
cdef uint32_t HOUR = bounds.HOUR, DAY = bounds.DAY, MONTH = bounds.MONTH
cdef uint64_t MICROS = MICROS_
cdef Py_ssize_t WORD_MOST = bounds.WORD_MOST, NAME_MOST = bounds.NAME_MOST, LIKED_MOST = bounds.LIKED_MOST
cdef Py_ssize_t PLACES_MOST = bounds.PLACES_MOST, VIEWED_MOST = bounds.VIEWED_MOST
cdef Py_ssize_t LOOK = 4, LOOKS_MOST = bounds.LOOKS_MOST * LOOK
cdef Py_ssize_t TOUCH = bounds.TOUCH, TOUCHES_MOST = bounds.TOUCHES_MOST * TOUCH
cdef str MONEY = bounds.MONEY
cdef dict CODES = codes.CODES
cdef dict PLACE_NUMBERS = codes.PLACES | {"": 0}
cdef frozenset PLACES = PLACES_
cdef object OTHER = bounds.OTHER
cdef str VIEWED_NAMED = PRODUCT_VIEWED
cdef tuple COMPLAINTS = (COMPLAINED, SETTLED)


# -- processors.seen


cpdef repeated(seen, str id, time):
    if not IS(seen, Seen):
        return twins["repeated"](seen, id, time)
    cdef bytes now = field(seen, SEEN_NOW), before = field(seen, SEEN_BEFORE)
    cdef bytes digest = xxh3_64_digest(id.encode())
    if len(now) + len(before) > FEW:
        index = seen.__dict__.get("index")
        if index is None:
            return twins["repeated"](seen, id, time)
        if digest in <set?>index:
            return True
        (<set>index).add(digest)
    elif holds(now, digest) or holds(before, digest):
        return True
    if not now:
        put_field(seen, SEEN_SINCE, time)
    elif <double>time - <double>field(seen, SEEN_SINCE) >= SEEN_SECONDS or len(now) >= FULL:
        put_field(seen, SEEN_BEFORE, now)
        put_field(seen, SEEN_SINCE, time)
        seen.__dict__.pop("index", None)
        put_field(seen, SEEN_NOW, b"")
    now = before = None  # nobody else holds them now
    append(seen, SEEN_NOW, digest)
    return False


cdef bint holds(bytes digests, bytes digest):
    cdef uint64_t wanted, one
    cdef const char *at = PyBytes_AS_STRING(digests)
    cdef const char *end = at + PyBytes_GET_SIZE(digests)
    memcpy(&wanted, PyBytes_AS_STRING(digest), 8)
    while end - at >= 8:
        memcpy(&one, at, 8)
        if one == wanted:
            return True
        at += 8
    return False


# -- processors.intent


cpdef warm(intent, feature, dwell, time, half_life):
    if not IS(intent, Intent):
        return twins["warm"](intent, feature, dwell, time, half_life)
    cdef dict sums = field(intent, INTENT_SUMS)
    cdef double age = <double>time - <double>field(intent, INTENT_AT), half = half_life, weight = 1.0, fade
    cdef double dwelt = dwell
    cdef Py_ssize_t at = 0
    cdef PyObject *name
    cdef PyObject *value
    if age > 0.0:
        fade = exp(-LN2 * age / half)
        while PyDict_Next(sums, &at, &name, &value):
            sums[<object>name] = <double><object>value * fade
        put_field(intent, INTENT_AT, time)
    elif age < 0.0:
        weight = exp(LN2 * age / half)
    if feature is not None:
        add(sums, feature, weight)
    if dwelt:
        add(sums, "dwell", dwelt * weight)


cdef inline int add(dict sums, name, double weight) except -1:
    cdef PyObject *known = PyDict_GetItemWithError(sums, name)
    sums[name] = (<double><object>known if known is not NULL else 0.0) + weight
    return 0


cpdef score(intent, model, time):
    if intent is not None and not IS(intent, Intent):
        return twins["score"](intent, model, time)
    cdef double logit = model.bias, fade = 1.0, age, sum_
    cdef dict sums, weights
    cdef Py_ssize_t at = 0
    cdef PyObject *name
    cdef PyObject *weight
    cdef PyObject *known
    if intent is not None:
        sums, weights = field(intent, INTENT_SUMS), model.weights
        age = <double>time - <double>field(intent, INTENT_AT)
        if age > 0.0:
            fade = exp(-LN2 * age / <double>model.half_life)
        while PyDict_Next(weights, &at, &name, &weight):
            known = PyDict_GetItemWithError(sums, <object>name)
            if known is not NULL:
                sum_ = <double><object>known * fade
                if not sum_ > -1.0:
                    return twins["score"](intent, model, time)
                logit += <double><object>weight * log1p(sum_)
    return 1.0 / (1.0 + exp(-logit)) if logit > -700.0 else 0.0


# -- processors.windows


cpdef put(facts, long long second, key, amount):
    if not IS_KIND_OF(facts, EventFacts):
        return twins["put"](facts, second, key, amount)
    cdef list minutes = field(facts, MINUTES)
    cdef Py_ssize_t many = len(minutes)
    cdef long long bucket = second // BUCKET, latest = cell_at(minutes, many - 1) if many else -1
    cdef dict counts
    cdef PyObject *known
    if bucket < 0 or (many and bucket < latest):
        return twins["put"](facts, second, key, amount)
    if many and bucket == latest:
        counts = field(minutes[many - 1], CELL_COUNTS)
        known = PyDict_GetItemWithError(counts, key)
        counts[key] = amount if known is NULL else <object>known + amount
        return
    if (many and cell_at(minutes, 0) <= bucket - BUCKETS_MOST) or field(facts, HOURS) or field(facts, DAYS):
        return twins["put"](facts, second, key, amount)
    minutes.append(Cell(bucket, {key: amount}))


cdef inline long long cell_at(list cells, Py_ssize_t place) except? -1:
    cell = cells[place]
    if not IS(cell, Cell):
        raise TypeError(f"wanted a Cell, got {cell!r}")
    return field(cell, CELL_AT)


cpdef counted(all_facts, double since, double now, str key):
    cdef double start
    cdef list cells
    cdef dict counts
    cdef PyObject *known
    cdef Py_ssize_t at
    sum_ = 0
    for facts in all_facts:
        if not IS_KIND_OF(facts, EventFacts):
            return twins["counted"](all_facts, since, now, key)
        for place_, size in ((MINUTES, BUCKET), (HOURS, HOUR), (DAYS, DAY)):
            cells = field(facts, place_)
            for at in range(len(cells) - 1, -1, -1):
                start = <double>(cell_at(cells, at) * <long long>size)
                if start <= since:
                    break
                if start <= now:
                    counts = field(cells[at], CELL_COUNTS)
                    known = PyDict_GetItemWithError(counts, key if key else MONEY)
                    if not key:
                        sum_ += sum(counts.values())
                        if known is not NULL:
                            sum_ -= <object>known
                    elif known is not NULL:
                        sum_ += <object>known
    return sum_


# -- processors.carts


cpdef what_is_left(cart):
    cdef list lines = cart.lines, left = [line.quantity for line in lines]
    cdef Py_ssize_t at
    cdef long long out, gone
    for one in <list>cart.taken:
        if not IS(one, Taken):
            return twins["what_is_left"](cart)
        out, id, when = field(one, TAKEN_QUANTITY), field(one, TAKEN_ID), <double>field(one, TAKEN_AT)
        at = len(lines) - 1
        while out and at >= 0:
            line = lines[at]
            if not IS(line, Line):
                return twins["what_is_left"](cart)
            if <str>field(line, LINE_ID) == <str>id and <double>field(line, ADDED) <= when:
                gone = min(out, <long long>left[at])
                left[at], out = <long long>left[at] - gone, out - gone
            at -= 1
    return left


# -- processors.touches


cpdef touched(bytes touches, long long second, long long number, channel, sentiment):
    cdef Py_ssize_t size = len(touches), at = size, skip
    cdef long long mood = 0 if sentiment is None else sentiment + 2
    cdef PyObject *where = PyDict_GetItemWithError(PLACE_NUMBERS, channel)
    if not (0 <= second < TOO_LATE and 0 <= number < 256 and 0 <= mood < 16) or size % TOUCH:
        return twins["touched"](touches, second, number, channel, sentiment)
    cdef unsigned char touch[6]
    big_endian(touch, <uint32_t>second)
    touch[4] = <unsigned char>number
    touch[5] = <unsigned char>((15 if where is NULL else <int><object>where) << 4 | mood)
    cdef const char *before = PyBytes_AS_STRING(touches)
    while at and memcmp(touch, before + at - TOUCH, TOUCH) < 0:
        at -= TOUCH
    skip = TOUCH if size + TOUCH > TOUCHES_MOST else 0
    if skip and not at:
        return touches
    cdef bytes after = PyBytes_FromStringAndSize(NULL, size + TOUCH - skip)
    cdef char *new = PyBytes_AS_STRING(after)
    memcpy(new, before + skip, at - skip)
    memcpy(new + at - skip, touch, TOUCH)
    memcpy(new + at - skip + TOUCH, before + at, size - at)
    return after


cdef inline void big_endian(unsigned char *to, uint32_t value) noexcept:
    to[0], to[1] = <unsigned char>(value >> 24), <unsigned char>(value >> 16)
    to[2], to[3] = <unsigned char>(value >> 8), <unsigned char>value


# -- processors.tastes


cpdef count(dict counts, key, Py_ssize_t most):
    cdef PyObject *known = PyDict_GetItemWithError(counts, key)
    if known is not NULL:
        counts[key] = <object>known + 1
    elif len(counts) < most:
        counts[key] = 1
    elif key < (last := max(counts)):
        del counts[last]
        counts[key] = 1


cdef inline str cut(word, Py_ssize_t most):
    cdef str text = word
    return text if len(text) <= most else text[:most]


cpdef like(dict likes, product, long long second):
    cdef PyObject *known = PyDict_GetItemWithError(likes, second // MONTH)
    if known is NULL or not IS(<object>known, Likes) or not IS(product, Product):
        return twins["like"](likes, product, second)
    month = <object>known
    a_word(field(month, CATEGORIES), field(product, CATEGORY))
    a_word(field(month, BRANDS), field(product, BRAND))
    a_word(field(month, SIZES), field(product, SIZE))
    cdef long long price = field(product, PRICE)
    cdef int band = 0
    if price > 0:
        price //= MICROS
        while price:
            price >>= 1
            band += 1
        count(field(month, BANDS), band, LIKED_MOST)


cdef inline int a_word(dict counts, word) except -1:
    if word:
        count(counts, cut(word, WORD_MOST), LIKED_MOST)
    return 0


# -- processors.looks


cpdef look_at(facts, product, long long second):
    if not IS(facts, ClickFacts) or not IS(product, Product) or not 0 <= second < TOO_LATE:
        return twins["look_at"](facts, product, second)
    if second <= <long long>field(facts, CUT):
        return
    cdef unsigned char look[4]
    big_endian(look, <uint32_t>second)
    cdef list viewed = field(facts, VIEWED)
    cdef Py_ssize_t many = len(viewed), at = many - 1
    cdef str id = field(product, PRODUCT_ID)
    while at >= 0 and <str?>field(viewed_at(viewed, at), VIEWED_ID) != id:
        at -= 1
    cdef Py_ssize_t other = many - 1 if at != many - 1 else many - 2
    if many > VIEWED_MOST or (at >= 0 and order(look, viewed, at) <= 0) or (
        other >= 0 and order(look, viewed, other) <= 0
    ):
        return twins["look_at"](facts, product, second)
    name, category = cut(field(product, PRODUCT_NAME), NAME_MOST), cut(field(product, CATEGORY), WORD_MOST)
    brand, price = cut(field(product, BRAND), WORD_MOST), field(product, PRICE)
    if at < 0:
        viewed.append(Viewed(id, PyBytes_FromStringAndSize(<char *>look, LOOK), name, category, brand, price))
        if many == VIEWED_MOST:
            forget(facts, viewed)
        return
    new = viewed[at]
    if at < many - 1:
        viewed.append(viewed.pop(at))
    put_field(new, LOOKS, with_look(field(new, LOOKS), look))
    put_field(new, VIEWED_NAME, name)
    put_field(new, VIEWED_CATEGORY, category)
    put_field(new, VIEWED_BRAND, brand)
    put_field(new, VIEWED_PRICE, price)


cpdef looked(list viewed, str what, double since, double until):
    cdef str inside = what + ".", category
    cdef const unsigned char *bytes_
    cdef Py_ssize_t at, size
    cdef double look
    cdef long many = 0
    for at in range(len(viewed)):
        one = viewed_at(viewed, at)
        category = field(one, VIEWED_CATEGORY)
        if <str>field(one, VIEWED_ID) == what or category == what or category.startswith(inside):
            looks = <bytes>field(one, LOOKS)
            bytes_, size = <const unsigned char *>PyBytes_AS_STRING(looks), PyBytes_GET_SIZE(looks)
            while size >= LOOK:
                look = <double>(<uint32_t>bytes_[0] << 24 | bytes_[1] << 16 | bytes_[2] << 8 | bytes_[3])
                many += since < look <= until
                bytes_, size = bytes_ + LOOK, size - LOOK
    return many


cdef inline object viewed_at(list viewed, Py_ssize_t at):
    one = viewed[at]
    if not IS(one, Viewed):
        raise TypeError(f"wanted a Viewed, got {one!r}")
    return one


cdef inline int order(const unsigned char *look, list viewed, Py_ssize_t at) except? -2:
    """How a look compares with the latest at that product: above 0 if it is later."""
    cdef bytes looks = field(viewed_at(viewed, at), LOOKS)
    if len(looks) < LOOK:
        raise ValueError(f"wanted a look, got {viewed[at]!r}")
    cdef int found = memcmp(look, PyBytes_AS_STRING(looks) + len(looks) - LOOK, LOOK)
    return (found > 0) - (found < 0)


cdef bytes with_look(bytes looks, const unsigned char *look):
    cdef Py_ssize_t keep = min(len(looks), LOOKS_MOST - LOOK)
    cdef bytes more = PyBytes_FromStringAndSize(NULL, keep + LOOK)
    memcpy(PyBytes_AS_STRING(more), PyBytes_AS_STRING(looks) + len(looks) - keep, keep)
    memcpy(PyBytes_AS_STRING(more) + keep, look, LOOK)
    return more


cdef int forget(facts, list viewed) except -1:
    """The first is one too many: it goes, and so do looks that are not later."""
    cdef bytes looks = field(viewed_at(viewed, 0), LOOKS)
    cdef bytes until = looks[-LOOK:]
    cdef Py_ssize_t gone = 1, at
    put_field(facts, CUT, int.from_bytes(until, "big"))
    while order(<const unsigned char *>PyBytes_AS_STRING(until), viewed, gone) >= 0:
        gone += 1
    del viewed[:gone]
    for at in range(len(viewed)):
        looks, gone = field(viewed_at(viewed, at), LOOKS), 0
        while gone < len(looks) and memcmp(PyBytes_AS_STRING(looks) + gone, PyBytes_AS_STRING(until), LOOK) <= 0:
            gone += LOOK
        if gone:
            put_field(viewed[at], LOOKS, looks[gone:])
    return 0


# -- processors.folds


def tallying(kept):
    cdef bint windows = "windows" in kept, timeline = "timeline" in kept, habits = "habits" in kept
    twin = twins["tallying"](kept)

    def tally(facts, event):
        if not tallied(facts, event, windows, timeline, habits):
            twin(facts, event)

    return tally


cdef bint tallied(facts, event, bint windows, bint timeline, bint habits) except -1:
    """Answers whether it is done: what is out of the ordinary is not."""
    if not IS_KIND_OF(facts, EventFacts) or not IS(event, Event):
        return False
    time = field(event, TIME)
    cdef double at = time
    cdef PyObject *code = PyDict_GetItemWithError(CODES, field(event, NAME))
    if code is NULL or not 0.0 <= at < TOO_LATE:
        return False
    key, number = <tuple><object>code
    cdef uint32_t second = <uint32_t>at
    cdef dict named = field(facts, DID)
    cdef PyObject *known = PyDict_GetItemWithError(named, key)
    if known is NULL:
        named[key] = Did(1, time)
    elif IS(<object>known, Did):
        did = <object>known
        put_field(did, DID_COUNT, field(did, DID_COUNT) + 1)
        if at > <double>field(did, DID_AT):
            put_field(did, DID_AT, time)
    else:
        raise TypeError(f"wanted a Did, got {<object>known!r}")
    events = field(facts, EVENTS)
    if at < <double>field(facts, FIRST) or not events:
        put_field(facts, FIRST, time)
    if at > <double>field(facts, LAST):
        put_field(facts, LAST, time)
    put_field(facts, EVENTS, events + 1)
    if windows:
        put(facts, second, key, 1)
    if timeline:
        mood = field(event, SENTIMENT)
        put_field(facts, TOUCHES, touched(field(facts, TOUCHES), second, number, field(event, CHANNEL), mood))
    if habits:
        note(facts, event, second)
    return True


def clicking(tally, rest, kept):
    cdef bint windows = "windows" in kept, timeline = "timeline" in kept, habits = "habits" in kept
    cdef bint likes = "likes" in kept, viewed = "viewed" in kept
    twin = twins["clicking"](tally, rest, kept)

    def click(facts, event, customer):
        if not IS(facts, ClickFacts) or not tallied(facts, event, windows, timeline, habits):
            return twin(facts, event, customer)
        time, name, session = field(event, TIME), field(event, NAME), field(event, SESSION)
        cdef long long second = <long long><double>time
        if session:
            told = (time, session)
            if told > field(facts, TOLD_SESSION):
                facts.session = told
        if name == VIEWED_NAMED:
            for product in <list>field(event, PRODUCTS):
                if viewed:
                    look_at(facts, product, second)
                if likes:
                    like(field(facts, LIKES), product, second)
        if (
            field(event, ANONYMOUS)
            or field(event, TRAITS) is not None
            or field(event, NPS) is not None
            or field(event, LINKS)
            or name in COMPLAINTS
        ):
            rest(facts, event, customer)

    return click


cdef int note(facts, event, uint32_t second) except -1:
    one_more(field(facts, CLOCK), second // HOUR % 24)
    one_more(field(facts, WEEKDAYS), (second // DAY + 3) % 7 + 1)
    channel = field(event, CHANNEL)
    if channel:
        one_more(field(facts, CHANNELS), channel if channel in PLACES else OTHER)
    store, device = field(event, STORE), field(event, DEVICE)
    if store:
        count(field(facts, STORES), cut(store, WORD_MOST), PLACES_MOST)
    if device:
        count(field(facts, DEVICES), cut(device, WORD_MOST), PLACES_MOST)
    return 0


cdef inline int one_more(dict counts, key) except -1:
    cdef PyObject *known = PyDict_GetItemWithError(counts, key)
    counts[key] = 1 if known is NULL else <object>known + 1
    return 0
