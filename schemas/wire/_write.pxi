# Records, written from where the values of an event lie. Functions that write are given a place and answer the place
# after what they wrote; NULL: this event is the twin's.


cdef inline char *put(char *w, const void *what, Py_ssize_t size) noexcept nogil:
    memcpy(w, what, size)
    return w + size


cdef inline char *words(char *w, const char *what) noexcept nogil:
    return put(w, what, strlen(what))


cdef inline char *quoted(char *w, const Value *v) noexcept nogil:
    w[0] = c'"'
    w = put(w + 1, v.at, v.size)
    w[0] = c'"'
    return w + 1


cdef inline char *member(char *w, const char *name, const Value *v) noexcept nogil:
    """A text, unless there is none."""
    if v == NULL or not v.size:
        return w
    return quoted(words(w, name), v)


cdef inline bint copied(const Value *v) noexcept nogil:
    """A text that is written as it was read."""
    return v.kind == TEXT and not v.seen & (OTHERWISE | ODD)


cdef inline bint is_short(const Value *v) noexcept nogil:
    """A text that is kept whole, or none at all."""
    return v.kind <= NULL_ or (copied(v) and v.size <= TEXT_MOST)


cdef char *whole_number(char *w, long long number) noexcept nogil:
    cdef char digits[24]
    cdef int at = 24
    cdef unsigned long long rest = -number if number < 0 else number
    while True:
        at -= 1
        digits[at] = <char>(48 + rest % 10)
        rest //= 10
        if not rest:
            break
    if number < 0:
        at -= 1
        digits[at] = c"-"
    return put(w, &digits[at], 24 - at)


cdef bint money(const Value *v, long long *micros) noexcept nogil:
    """As values.micros; nothing and an empty text are none."""
    cdef double scaled
    micros[0] = 0
    if no_text(v):
        return True
    if v.seen or v.kind not in (WHOLE, BROKEN):
        return False
    scaled = float_of(v) * MICROS
    micros[0] = <long long>rint(scaled)
    return -FLOAT_SURE < scaled < FLOAT_SURE and -0.25 < scaled - <double>micros[0] < 0.25


cdef char *product(char *w, const Value *id, const Value *line) noexcept nogil:
    cdef long long price, pieces = 1
    cdef int part
    if line[GA4].kind != ABSENT or not money(&line[PRICE], &price):
        return NULL
    if line[PIECES].kind != ABSENT:
        if line[PIECES].kind != WHOLE or line[PIECES].seen or line[PIECES].size > 9:
            return NULL
        pieces = <long long>float_of(&line[PIECES])
        if not -PIECES_MOST <= pieces <= PIECES_MOST:
            return NULL
    for part in range(TITLE, GA4):
        if not is_short(&line[part]):
            return NULL
    w = quoted(words(w, b'{"id":'), id)
    w = member(w, b',"name":', text_at(line, TITLE))
    w = member(w, b',"category":', text_at(line, CATEGORY))
    w = member(w, b',"brand":', text_at(line, BRAND))
    w = member(w, b',"variant":', text_at(line, VARIANT))
    w = member(w, b',"size":', text_at(line, SIZE))
    if price:
        w = whole_number(words(w, b',"price":'), price)
    if pieces != 1:
        w = whole_number(words(w, b',"quantity":'), pieces)
    return words(w, b"}")


cdef inline const Value *text_at(const Value *line, int role) noexcept nogil:
    return &line[role] if line[role].kind == TEXT else NULL


cdef char *lines(char *w, Place p) noexcept nogil:
    """The products of a list."""
    cdef Value line[LINE]
    cdef int seen = 0, role
    cdef const Value *id
    cdef char *began = w
    p = blank(p + 1)
    while p[0] != c"]":
        memset(line, 0, sizeof(line))
        p = fields(p, &ITEM, line, 1, &seen) if p[0] == c"{" else NULL
        if p == NULL or seen & ODD:
            return NULL
        id = NULL
        for role in range(PRICE):
            if not no_text(&line[role]):
                id = &line[role]
                break
        if id != NULL:
            if not is_id(id):
                return NULL
            w = product(words(w, b"," if w != began else b',"products":['), id, line)
            if w == NULL:
                return NULL
        p = blank(p)
        if p[0] == c",":
            p = blank(p + 1)
    return words(w, b"]") if w != began else w


cdef int look(const Table *table, const Value *v) noexcept nogil:
    """A word of a table, in whatever case; 0: not there, -1: ask the twin."""
    cdef char low[64]
    cdef int at
    if v.kind != TEXT:
        return 0
    if v.seen or v.size > 64:
        return -1
    at = find(table, <Place>low, lower(low, v) - low)
    return at if at > 0 else 0


cdef char *lower(char *w, const Value *v) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(v.size):
        w[at] = v.at[at] + 32 if 65 <= v.at[at] <= 90 else v.at[at]
    return w + v.size


cdef bint opened(const Value *v, Value *parts) noexcept nogil:
    """The parts of an object in a context; none of nothing."""
    cdef int seen = 0
    memset(parts, 0, PARTS * sizeof(Value))
    if v.kind <= NULL_:
        return True
    return v.kind == OBJECT and fields(v.at, &PART, parts, 1, &seen) != NULL and not seen & ODD


cdef bint is_zone(const Value *v) noexcept nogil:
    """[A-Za-z0-9_+-]+, up to three times with slashes between."""
    cdef Py_ssize_t at
    cdef int slashes = 0
    cdef unsigned char c, before = c"/"
    for at in range(v.size):
        c = v.at[at]
        if c == c"/":
            slashes += 1
            if before == c"/":
                return False
        elif not (48 <= c <= 57 or 65 <= (c & 0xDF) <= 90 or c == c"_" or c == c"+" or c == c"-"):
            return False
        before = c
    return before != c"/" and slashes <= 2 and v.size <= 64


cdef bint empty(const Value *v) noexcept nogil:
    """Nothing, or an object of nothing."""
    return v.kind <= NULL_ or (v.kind == OBJECT and v.size == 2)


cdef int way_of(const Value *type) noexcept nogil:
    """0: track; where a page or a screen is; -1: another call."""
    if type.kind != TEXT:
        return -1
    if type.size == 5 and not memcmp(type.at, b"track", 5):
        return 0
    if type.size == 4 and not memcmp(type.at, b"page", 4):
        return WEB
    return APP if type.size == 6 and not memcmp(type.at, b"screen", 6) else -1


cdef class Writer:
    """Records of one request."""

    cdef Scan scan
    cdef bint server, kept, till
    cdef double received, oldest, skew
    cdef object clock
    cdef bytes received_text, source, last_text
    cdef Value last
    cdef char *room
    cdef Py_ssize_t size

    def __cinit__(self, Scan scan, sender, clock):
        self.scan, self.clock, self.server = scan, clock, sender.server
        self.received, self.oldest = clock._received, clock._oldest
        self.skew, self.kept, self.till = clock._skew, clock._kept, sender.source == TILL
        self.received_text, self.source = encode(sender.received), encode(sender.source)

    def __dealloc__(self):
        free(self.room)

    cdef tuple record(self, Call *call):
        """Topic, key and value; None: the twin's."""
        cdef Value *own = call.own
        cdef const Value *customer
        cdef const Value *anonymous
        cdef Value name
        cdef int route = -1
        cdef char *end
        customer, anonymous = &own[USER], &own[ANONYMOUS]
        if not ((no_text(customer) or is_id(customer)) and (no_text(anonymous) or is_id(anonymous))):
            return None
        if no_text(customer):
            customer, anonymous = anonymous, NULL
        elif not self.server:
            if given(&call.about[PROOF]):
                return None
            anonymous = NULL
        if no_text(customer) or (not self.server and memchr(customer.at, c":", customer.size) != NULL):
            return None
        if given(&call.about[IDS]) or given(&call.about[RELATED]) or given(&call.about[CONSENT]):
            return None
        if own[CONTEXT].kind > NULL_ and own[CONTEXT].kind != OBJECT:
            return None
        if own[PROPERTIES].kind > NULL_ and own[PROPERTIES].kind != OBJECT:
            return None
        if not (empty(&own[TRAITS]) and empty(&call.about[SHARED]) and is_id(&own[MESSAGE])):
            return None
        if own[MESSAGE].size > MESSAGE_MOST or call.many > MEMBERS_MOST:
            return None
        cdef int way = way_of(&own[TYPE])
        if way == 0:
            if not is_id(&own[EVENT]):
                return None
            route = find(&NAMES, own[EVENT].at, own[EVENT].size)
        elif way > 0:
            route = PAGE if way == WEB else SCREEN
        else:
            return None
        if route >= 0:
            if RIGHTS[route] == OTHER or (RIGHTS[route] == GUARDED and not self.server):
                return None
            name.at, name.size = spelled[route], len(<bytes>spelled[route])
        else:
            name = own[EVENT]
        text = self.time(call)
        if text is None:
            return None
        self.make_room(call)
        end = words(self.room, b'{"id":')
        end = quoted(end, &own[MESSAGE])
        end = quoted(words(end, b',"name":'), &name)
        end = put(words(end, b',"time":'), PyBytes_AS_STRING(text), len(<bytes>text))
        end = put(words(end, b',"received":'), PyBytes_AS_STRING(self.received_text), len(self.received_text))
        end = self.rest(end, call, way, anonymous)
        if end == NULL:
            return None
        value = PyBytes_FromStringAndSize(self.room, end - self.room)
        return (topics[route] if route >= 0 else CLICKSTREAM), <bytes>customer.at[:customer.size], value

    cdef int make_room(self, Call *call) except -1:
        """For what is longer than in the event too: amounts in micros, our names."""
        cdef Py_ssize_t size = 2 * call.size + len(self.source) + 2048
        if size > self.size:
            self.room, self.size = <char *>larger(self.room, size), size
        return 0

    cdef bytes time(self, Call *call):
        """When it happened, as `records._Clock` has it; None: the twin's."""
        cdef const Value *told = &call.own[TIMESTAMP]
        cdef const Value *sent = &call.own[SENT]
        cdef double moment, skew = self.skew
        if call.own[ORIGINAL].kind > NULL_:
            told = &call.own[ORIGINAL]
        if told.kind <= NULL_:
            return self.received_text
        if sent.kind <= NULL_ and told.size == self.last.size and not memcmp(told.at, self.last.at, told.size):
            return self.last_text
        if not moment_of(told, &moment):
            return None
        if sent.kind > NULL_:
            if not said(sent):
                return None
            skew = self.clock._ahead(string(sent))
        if not self.kept:
            moment = max(moment + skew, self.oldest)
        elif moment < 0.0:
            return None
        text = self.received_text if moment >= self.received else encode(moment)
        if sent.kind <= NULL_:
            self.last, self.last_text = told[0], text
        return text

    cdef char *rest(self, char *w, Call *call, int way, const Value *anonymous) except? NULL:
        """What comes after the times."""
        cdef Member members[MEMBERS_MOST + 2]
        cdef int slots[ROLES]
        cdef const Value *texts[TEXT_FIELDS]
        cdef Value device[PARTS]
        cdef Value system[PARTS]
        cdef Value *about = call.about
        cdef unsigned long long gone = 0
        cdef int many = call.many, at, role
        cdef long long total = 0
        cdef const Value *dwell = NULL
        cdef const Value *currency = NULL
        if not (opened(&about[DEVICE], device) and opened(&about[SYSTEM], system)):
            return NULL
        memset(slots, -1, sizeof(slots))
        if many:
            memcpy(members, &self.scan.members[call.first], many * sizeof(Member))
        for at in range(many):
            if not settle(members, slots, at):
                return NULL
        if way and not (self.brought(call, NAMED, TITLE, members, slots, &many)
                        and self.brought(call, SECTION, CATEGORY, members, slots, &many)):
            return NULL
        if slots[RARE] >= 0:
            return NULL
        # where the customer was
        role = self.place(call, way, &members[slots[WHERE]].value if slots[WHERE] >= 0 else NULL, device, system)
        if role < 0:
            return NULL
        if role:
            w = words(words(words(w, b',"channel":"'), <bytes>seen_at[role]), b'"')
        if len(self.source) > 2:
            w = put(words(w, b',"source":'), PyBytes_AS_STRING(self.source), len(self.source))
        if anonymous != NULL:
            w = member(w, b',"anonymous":', anonymous if anonymous.kind == TEXT else NULL)
        w = self.products(w, members, slots, &gone)
        if w == NULL:
            return NULL
        if slots[CURRENCY] >= 0:
            currency = &members[slots[CURRENCY]].value
            gone |= 1ULL << slots[CURRENCY]
            if not no_text(currency) and not (copied(currency) and currency.size <= 8):
                return NULL
        for at in range(TOTALS, TEXTS):
            if slots[at] >= 0 and not no_text(&members[slots[at]].value):
                if not money(&members[slots[at]].value, &total):
                    return NULL
                gone |= 1ULL << slots[at]
                break
        if not take_texts(members, slots, texts, &gone):
            return NULL
        if about[SESSION].kind > NULL_:
            if not copied(&about[SESSION]) or about[SESSION].size > TEXT_MOST:
                return NULL
            texts[VISIT] = &about[SESSION]
        if total:
            w = whole_number(words(w, b',"total":'), total)
        w = member(w, b',"currency":', currency if currency != NULL and currency.kind == TEXT else NULL)
        w = member(w, b',"order":', texts[ORDER])
        w = member(w, b',"cart":', texts[CART])
        w = member(w, b',"session":', texts[VISIT])
        w = member(w, b',"coupon":', texts[COUPON])
        w = member(w, b',"query":', texts[QUERY])
        if slots[DWELL] >= 0:
            dwell = &members[slots[DWELL]].value
            gone |= 1ULL << slots[DWELL]
            if dwell.kind not in (WHOLE, BROKEN) or not is_shortest(dwell) or not 0.0 <= float_of(dwell) <= DAY:
                return NULL
            w = put(words(w, b',"dwell":'), dwell.at, dwell.size)
            if dwell.kind == WHOLE:
                w = words(w, b".0")
        w = traits(w, &about[ZONE], &device[TOKEN])
        if w == NULL:
            return NULL
        w = member(w, b',"store":', texts[STORE])
        w = device_kind(w, &device[SORT], &system[NAME])
        if w == NULL:
            return NULL
        w = member(w, b',"complaint":', texts[COMPLAINT])
        w = flat(w, members, many, gone)
        return words(w, b"}") if w != NULL else NULL

    cdef bint brought(self, Call *call, int own, int role, Member *members, int *slots, int *many) noexcept:
        """A page's name or category, which lie beside its properties, among them."""
        cdef Value *v = &call.own[own]
        if no_text(v) or v.kind in (YES, NO, LIST, OBJECT):
            return True
        if not copied(v) or v.size > TEXT_MOST:
            return False
        if slots[role] >= 0:
            members[slots[role]].value = v[0]
            return True
        cdef Member *new = &members[many[0]]
        new.key.at = <Place>(b"name" if role == TITLE else b"category")
        new.key.size = 4 if role == TITLE else 8
        new.key.kind, new.key.seen, new.value, new.role = TEXT, 0, v[0], role
        slots[role] = many[0]
        many[0] += 1
        return True

    cdef int place(self, Call *call, int way, const Value *named, const Value *device, const Value *system) noexcept:
        """As person.channel_of: a number in `seen_at`, 0 for nowhere; -1: the twin's."""
        cdef Value library[PARTS]
        cdef int found
        if not opened(&call.about[LIBRARY], library):
            return -1
        found = look(&CHANNELS, named) if named != NULL else 0
        if not found:
            found = look(&CHANNELS, &call.about[CHANNEL])
        if not found:
            found = look(&CHANNELS, &call.own[WAY])
        if not found and self.till:
            found = TILLS
        if not found:
            found = look(&LIBRARIES, &library[NAME])
        if not found:
            found = look(&DEVICES, &device[SORT])
        if not found:
            found = look(&SYSTEMS, &system[NAME])
        return found or way

    cdef char *products(self, char *w, Member *members, const int *slots, unsigned long long *gone) noexcept nogil:
        cdef Value line[LINE]
        cdef int role
        cdef const Value *id
        for role in range(LISTS, TOTALS):
            if slots[role] >= 0 and members[slots[role]].value.kind == LIST:
                gone[0] |= 1ULL << slots[role]
                return lines(w, members[slots[role]].value.at)
        for role in range(PRICE):
            if slots[role] >= 0:
                id = &members[slots[role]].value
                gone[0] |= 1ULL << slots[role]
                if no_text(id):
                    continue
                if not is_id(id):
                    return NULL
                memset(line, 0, sizeof(line))
                for role in range(PRICE, LINE):
                    if slots[role] >= 0:
                        line[role] = members[slots[role]].value
                        gone[0] |= 1ULL << slots[role]
                w = product(words(w, b',"products":['), id, line)
                return words(w, b"]") if w != NULL else NULL
        return w


cdef bint settle(Member *members, int *slots, int at) noexcept nogil:
    """Where the property of a role is; names must not come twice."""
    cdef int role = members[at].role, other
    if role >= 0:
        if slots[role] >= 0:
            return False
        slots[role] = at
        return True
    for other in range(at):
        if members[other].role < 0 and members[other].key.size == members[at].key.size and not memcmp(
            members[other].key.at, members[at].key.at, members[at].key.size
        ):
            return False
    return True


cdef bint take_texts(Member *members, const int *slots, const Value **texts, unsigned long long *gone) noexcept nogil:
    """Of each field the first property that tells it."""
    cdef int field, role
    cdef const Value *v
    for field in range(TEXT_FIELDS):
        texts[field] = NULL
        for role in range(TEXTS + FIRST[field], TEXTS + FIRST[field + 1]):
            if slots[role] < 0:
                continue
            v = &members[slots[role]].value
            if v.kind in (WHOLE, BROKEN):
                return False
            if v.kind == TEXT and v.size:
                if not is_short(v):
                    return False
                texts[field] = v
                gone[0] |= 1ULL << slots[role]
                break
    return True


cdef char *traits(char *w, const Value *zone, const Value *token) noexcept nogil:
    """A time zone, and whether push messages reach."""
    cdef bint known
    if not said(zone) or (token.kind > NULL_ and token.kind != TEXT):
        return NULL
    known = zone.kind == TEXT and zone.size and is_zone(zone)
    if not known and token.kind != TEXT:
        return w
    w = words(w, b',"traits":{')
    if known:
        w = quoted(words(w, b'"zone":'), zone)
    if token.kind == TEXT:
        w = words(w, b',"reach":{"push":' if known else b'"reach":{"push":')
        w = words(w, b"true}" if token.size else b"false}")
    return words(w, b"}")


cdef char *device_kind(char *w, const Value *device, const Value *system) noexcept nogil:
    """As person.device_of."""
    cdef const Value *told = system if no_text(device) else device
    if no_text(told):
        return w
    if told.kind != TEXT or told.seen or told.size > TEXT_MOST:
        return NULL
    return words(lower(words(w, b',"device":"'), told), b'"')


cdef char *flat(char *w, const Member *members, int many, unsigned long long gone) noexcept nogil:
    """What is left: texts, numbers, yes and no."""
    cdef const Value *v
    cdef char *began = w
    cdef int at
    for at in range(many):
        v = &members[at].value
        if gone >> at & 1 or v.kind in (NULL_, LIST, OBJECT):
            continue
        if v.kind == TEXT and not copied(v) or v.kind in (WHOLE, BROKEN) and not is_shortest(v):
            return NULL
        w = quoted(words(w, b"," if w != began else b',"properties":{'), &members[at].key)
        w = words(w, b":")
        w = quoted(w, v) if v.kind == TEXT else put(w, v.at, v.size)
    return words(w, b"}") if w != began else w
