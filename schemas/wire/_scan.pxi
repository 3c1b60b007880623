# JSON as it lies in a body: where its values are and what they are, without an object made of any.
#
# A function is given the place where something begins, and answers the place after it; NULL: no JSON, or none that this
# code is sure to read as msgspec does. A body ends with a zero byte, which ends whatever is being read. Strict on
# purpose: what is taken here, msgspec takes too.

ctypedef const unsigned char *Place

cdef enum:
    ABSENT, NULL_, NO, YES, WHOLE, BROKEN, TEXT, LIST, OBJECT  # kinds of values; a BROKEN number is no whole one

cdef enum:  # what was seen in a value
    WIDE = 2  # other than printable ASCII
    ESCAPED = 4  # escapes that are written as they are read
    OTHERWISE = 8  # those that are not
    ODD = 16  # what msgspec may refuse, or reads in its own way

cdef enum:
    DEPTH_MOST = 16
    DIGITS_MOST = 15  # of a number: with so many, the shortest text of a float is the one that was read
    SLOTS = 256

cdef struct Value:
    Place at  # of a text what is between the quotes
    Py_ssize_t size
    int kind, seen

cdef struct Member:
    Value key, value
    int role

cdef struct Table:  # names and what they mean, a number from 0
    const char *names[SLOTS]
    Py_ssize_t sizes[SLOTS]
    int roles[SLOTS]

cdef unsigned char CLASS[256]  # of a byte in a text: 0, WIDE, or 1: it ends what is simple

for byte in range(256):
    CLASS[byte] = 1 if byte < 32 or byte in b'"\\' else WIDE if byte > 126 else 0

_names = []  # the tables point into them


cdef inline unsigned int slot_of(Place name, Py_ssize_t size) noexcept nogil:
    if not size:
        return 0
    return <unsigned int>(size * 37 + name[0] * 7 + name[size >> 1] * 31 + name[size - 1] * 113) % SLOTS


cdef int fill(Table *table, dict roles) except -1:
    """`roles`: name -> what it means."""
    cdef unsigned int slot
    cdef bytes kept
    for name, role in roles.items():
        kept = name.encode()
        _names.append(kept)
        slot = slot_of(kept, len(kept))
        while table.names[slot] != NULL:
            slot = (slot + 1) % SLOTS
        table.names[slot], table.sizes[slot], table.roles[slot] = kept, len(kept), role
    return 0


cdef int find(const Table *table, Place name, Py_ssize_t size) noexcept nogil:
    """What it means; -1: nothing."""
    cdef unsigned int slot = slot_of(name, size)
    while table.names[slot] != NULL:
        if table.sizes[slot] == size and memcmp(table.names[slot], name, size) == 0:
            return table.roles[slot]
        slot = (slot + 1) % SLOTS
    return -1


cdef inline Place blank(Place p) noexcept nogil:
    while p[0] == 32 or p[0] == 10 or p[0] == 13 or p[0] == 9:
        p += 1
    return p


cdef inline bint digit(unsigned char c) noexcept nogil:
    return 48 <= c <= 57


cdef inline bint hexa(unsigned char c) noexcept nogil:
    return digit(c) or 97 <= (c | 32) <= 102


cdef Place text(Place p, Value *v) noexcept nogil:
    """From after its first quote."""
    cdef int seen = 0, sort
    v.at, v.kind = p, TEXT
    while True:
        sort = CLASS[p[0]]
        while sort != 1:
            seen |= sort
            p += 1
            sort = CLASS[p[0]]
        if p[0] == c'"':
            break
        if p[0] != c"\\":
            return NULL
        if p[1] in (c'"', c"\\", c"b", c"f", c"n", c"r", c"t"):
            seen |= ESCAPED
        elif p[1] == c"/":
            seen |= OTHERWISE
        elif p[1] == c"u" and hexa(p[2]) and hexa(p[3]) and hexa(p[4]) and hexa(p[5]):
            seen |= OTHERWISE | ODD
            p += 4
        else:
            return NULL
        p += 2
    v.size, v.seen = p - v.at, seen
    return p + 1


cdef Place number(Place p, Value *v) noexcept nogil:
    cdef Py_ssize_t marks = 0
    v.at, v.kind, v.seen = p, WHOLE, 0
    if p[0] == c"-":
        p += 1
        marks += 1
    if p[0] == c"0":
        p += 1
    elif digit(p[0]):
        while digit(p[0]):
            p += 1
    else:
        return NULL
    if p[0] == c".":
        v.kind = BROKEN
        p += 1
        marks += 1
        if not digit(p[0]):
            return NULL
        while digit(p[0]):
            p += 1
    if p[0] == c"e" or p[0] == c"E":
        v.kind, v.seen = BROKEN, ODD
        p += 1
        if p[0] == c"+" or p[0] == c"-":
            p += 1
        if not digit(p[0]):
            return NULL
        while digit(p[0]):
            p += 1
    v.size = p - v.at
    if v.size - marks > DIGITS_MOST:
        v.seen = ODD
    return p


cdef Place value(Place p, Value *v, int depth) noexcept nogil:
    """`depth`: that of a container, if it is one."""
    cdef unsigned char c = p[0]
    if c == c'"':
        return text(p + 1, v)
    if c == c"{" or c == c"[":
        return container(p, v, depth)
    if c == c"-" or digit(c):
        return number(p, v)
    v.at, v.seen = p, 0
    if c == c"t" and p[1] == c"r" and p[2] == c"u" and p[3] == c"e":
        v.kind, v.size = YES, 4
    elif c == c"f" and p[1] == c"a" and p[2] == c"l" and p[3] == c"s" and p[4] == c"e":
        v.kind, v.size = NO, 5
    elif c == c"n" and p[1] == c"u" and p[2] == c"l" and p[3] == c"l":
        v.kind, v.size = NULL_, 4
    else:
        return NULL
    return p + v.size


cdef Place container(Place p, Value *v, int depth) noexcept nogil:
    cdef Value inner
    cdef bint named = p[0] == c"{"
    cdef unsigned char close = c"}" if named else c"]"
    cdef int seen = 0
    if depth > DEPTH_MOST:
        return NULL
    v.at, v.kind = p, OBJECT if named else LIST
    p = blank(p + 1)
    if p[0] != close:
        while True:
            if named:
                p = key(p, &inner)
                if p == NULL:
                    return NULL
                seen |= inner.seen
            p = value(p, &inner, depth + 1)
            if p == NULL:
                return NULL
            seen |= inner.seen
            p = blank(p)
            if p[0] != c",":
                break
            p = blank(p + 1)
        if p[0] != close:
            return NULL
    v.size, v.seen = p + 1 - v.at, seen
    return p + 1


cdef Place key(Place p, Value *v) noexcept nogil:
    """The name of a member and its colon. Names with escapes are nothing for this code."""
    if p[0] != c'"':
        return NULL
    p = text(p + 1, v)
    if p == NULL or v.seen & ~WIDE:
        return NULL
    p = blank(p)
    return blank(p + 1) if p[0] == c":" else NULL


cdef Place fields(Place p, const Table *names, Value *into, int depth, int *seen) noexcept nogil:
    """An object of which we know some members: each into the place of its role."""
    cdef Value name, other
    cdef int role
    if depth > DEPTH_MOST:
        return NULL
    p = blank(p + 1)
    if p[0] == c"}":
        return p + 1
    while True:
        p = key(p, &name)
        if p == NULL:
            return NULL
        role = find(names, name.at, name.size)
        if role >= 0 and into[role].kind != ABSENT:
            seen[0] |= ODD
        p = value(p, &other if role < 0 else &into[role], depth + 1)
        if p == NULL:
            return NULL
        seen[0] |= other.seen if role < 0 else into[role].seen
        p = blank(p)
        if p[0] != c",":
            return p + 1 if p[0] == c"}" else NULL
        p = blank(p + 1)


# -- what values tell


cdef inline bint given(const Value *v) noexcept nogil:
    return v.kind > NULL_


cdef inline bint is_id(const Value *v) noexcept nogil:
    """An id that needs no second look."""
    return v.kind == TEXT and v.seen == 0 and 0 < v.size <= ID_MOST


cdef inline bint no_text(const Value *v) noexcept nogil:
    return v.kind <= NULL_ or (v.kind == TEXT and not v.size)


cdef double float_of(const Value *v) noexcept nogil:
    """Of a number that is not ODD; so few digits and powers of ten are exact, and one division rounds once."""
    cdef Place p = v.at, end = v.at + v.size
    cdef unsigned long long digits = 0
    cdef int decimals = -1
    if p[0] == c"-":
        p += 1
    while p < end:
        if p[0] == c".":
            decimals = 0
        else:
            digits = digits * 10 + (p[0] - 48)
            if decimals >= 0:
                decimals += 1
        p += 1
    cdef double all_ = <double>digits
    if decimals > 0:
        all_ /= TENS[decimals]
    return -all_ if v.at[0] == c"-" else all_


cdef bint is_shortest(const Value *v) noexcept nogil:
    """Whether a number is written as msgspec would write it."""
    cdef Place p = v.at, end = v.at + v.size - 1
    cdef int zeros = 0
    if v.seen or p[0] == c"-" and p[1] == c"0":
        return False
    if v.kind == WHOLE:
        return True
    if end[0] == c"0" and end[-1] != c".":
        return False
    if p[0] != c"0" or v.size == 3:
        return True
    while p[2 + zeros] == c"0":
        zeros += 1
    return zeros < 4


cdef bint two(Place p, int *into) noexcept nogil:
    into[0] = (p[0] - 48) * 10 + p[1] - 48
    return digit(p[0]) and digit(p[1])


cdef bint moment_of(const Value *v, double *seconds) noexcept nogil:
    """Since the epoch, of the usual forms of RFC 3339; others are the twin's."""
    cdef Place p = v.at, end = v.at + v.size
    cdef int century, year, month, day, hour, minute, second, micros = 0, unit = 100_000, off_hours = 0, off_minutes = 0
    cdef int sign = 1
    cdef long long days
    if v.kind != TEXT or v.seen or v.size < 19 or v.size > 32:
        return False
    if not (two(p, &century) and two(p + 2, &year) and two(p + 5, &month) and two(p + 8, &day)):
        return False
    if not (two(p + 11, &hour) and two(p + 14, &minute) and two(p + 17, &second)):
        return False
    if p[4] != c"-" or p[7] != c"-" or p[10] != c"T" or p[13] != c":" or p[16] != c":":
        return False
    year += century * 100
    if not (1970 <= year < 2100 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return False
    cdef bint leap = year % 4 == 0 and year != 2100
    if not 1 <= day <= MONTHS[month] + (leap and month == 2):
        return False
    p += 19
    if p[0] == c".":
        p += 1
        if not digit(p[0]):
            return False
        while digit(p[0]) and unit:
            micros += (p[0] - 48) * unit
            unit //= 10
            p += 1
    if p[0] == c"Z":
        p += 1
    elif p[0] == c"+" or p[0] == c"-":
        if end - p != 6 or p[3] != c":" or not (two(p + 1, &off_hours) and two(p + 4, &off_minutes)):
            return False
        if off_hours > 23 or off_minutes > 59:
            return False
        sign = -1 if p[0] == c"-" else 1
        p += 6
    if p != end:
        return False
    days = (year - 1970) * 365 + (year - 1969) // 4 + BEFORE[month] + (leap and month > 2) + day - 1
    days = days * 86_400 + hour * 3_600 + minute * 60 + second - sign * (off_hours * 3_600 + off_minutes * 60)
    seconds[0] = <double>(days * 1_000_000 + micros) / 1e6
    return True


cdef double TENS[16]
cdef int MONTHS[13]
cdef int BEFORE[13]

for _at in range(16):
    TENS[_at] = 10.0 ** _at
for _at, _days in enumerate((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)):
    MONTHS[_at], BEFORE[_at] = _days, sum((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[:_at])
