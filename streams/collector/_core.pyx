# cython: binding=False, cdivision=True
"""`packing.Packing`, compiled: the same batches, to the byte.

Records are written into one piece of memory a batch, behind room for its header, which `build` fills in. All records of
a batch have one time, so their time deltas are 0.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from itertools import zip_longest
from zlib import crc32 as crc32_of

from aiokafka.record.util import calc_crc32c

from streams.collector.packing import BATCH_BYTES as BATCH_BYTES_

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__GNUC__)
    static int has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }

    __attribute__((target("sse4.2")))
    static uint32_t crc32c(const char *at, Py_ssize_t size) {
        uint64_t sum = 0xffffffff, eight;
        for (; size >= 8; size -= 8, at += 8) {
            memcpy(&eight, at, 8);
            sum = __builtin_ia32_crc32di(sum, eight);
        }
        uint32_t rest = (uint32_t)sum;
        for (; size > 0; size--, at++) rest = __builtin_ia32_crc32qi(rest, (unsigned char)*at);
        return ~rest;
    }
    #else
    static int has_crc32c(void) { return 0; }
    static uint32_t crc32c(const char *at, Py_ssize_t size) { return 0; }
    #endif
    """
    bint has_crc32c()
    uint32_t crc32c(const char *, Py_ssize_t) nogil

cdef enum:
    HEADER = 61
    SUMMED = 21  # the checksum is of what comes from here on
    ROOM = 4096  # bytes of a batch that has just begun
    OVERHEAD = 40  # most bytes of a record beside key, value and headers

cdef bint FAST = has_crc32c()
cdef Py_ssize_t BATCH_BYTES = BATCH_BYTES_
cdef uint32_t CRC32[256]

for byte in range(256):
    CRC32[byte] = crc32_of(bytes((byte,)), 0xFFFFFFFF) ^ 0xFFFFFFFF

cdef inline uint32_t crc32(bytes text) noexcept:
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(text)
    cdef Py_ssize_t left = PyBytes_GET_SIZE(text)
    cdef uint32_t sum_ = 0xFFFFFFFF
    while left:
        sum_ = CRC32[(sum_ ^ at[0]) & 0xFF] ^ sum_ >> 8
        at += 1
        left -= 1
    return ~sum_


cdef inline char *varint(char *w, int64_t number) noexcept:
    """Zigzag, seven bits a byte."""
    cdef uint64_t rest = <uint64_t>(number << 1 ^ number >> 63)
    while rest > 127:
        w[0] = <char>(rest & 127 | 128)
        rest >>= 7
        w += 1
    w[0] = <char>rest
    return w + 1


cdef inline char *counted(char *w, bytes text) noexcept:
    """Bytes with their number before them; -1: none."""
    if text is None:
        return varint(w, -1)
    w = varint(w, PyBytes_GET_SIZE(text))
    memcpy(w, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return w + PyBytes_GET_SIZE(text)


cdef inline char *big(char *w, int64_t number, int size) noexcept:
    """Big-endian."""
    cdef int at
    for at in range(size):
        w[at] = <char>(number >> 8 * (size - 1 - at))
    return w + size


cdef class Batch:
    """Records for one place. `count`: how many."""

    cdef readonly tuple place
    cdef readonly int count
    cdef int64_t stamp
    cdef char *at
    cdef Py_ssize_t size, room

    def __cinit__(self, tuple place, int64_t stamp):
        self.place, self.stamp, self.size = place, stamp, HEADER

    def __dealloc__(self):
        free(self.at)

    cdef bint append(self, bytes key, bytes value, headers) except -1:
        """Whether it fits; the first one always does."""
        cdef list spelled = [(name.encode(), held) for name, held in headers] if headers else headers
        cdef char head[OVERHEAD]
        cdef char *end = head + 2
        cdef char *w
        cdef Py_ssize_t size, room, most = 0 if key is None else len(key)
        most += OVERHEAD + len(value)
        for name, held in spelled:
            most += 10 + len(<bytes>name) + len(<bytes>held)
        if self.size + most > self.room:
            room = max((self.size + most) * 2, ROOM)
            w = <char *>realloc(self.at, room)
            if w == NULL:
                raise MemoryError()
            self.at, self.room = w, room
        # The record is written behind the longest length there may be, and moved to the end of its real one.
        w = self.at + self.size + 5
        w[0] = w[1] = 0  # attributes, time
        w = varint(w + 2, self.count)
        w = counted(counted(w, key), value)
        w = varint(w, len(spelled))
        for name, held in spelled:
            w = counted(counted(w, name), held)
        size = w - self.at - self.size - 5
        end = varint(head, size)
        if self.count and self.size + size + (end - head) >= BATCH_BYTES:
            return False
        w = self.at + self.size
        memmove(w + (end - head), w + 5, size)
        memcpy(w, head, end - head)
        self.size += size + (end - head)
        self.count += 1
        return True

    def build(self, int64_t producer, int16_t epoch, int32_t sequence):
        """Its bytes; -1 for each where the producer has no id."""
        cdef char *w = big(self.at, 0, 8)
        w = big(big(w, self.size - 12, 4), -1, 4)
        w[0] = 2
        w = big(big(w + 5, 0, 2), self.count - 1, 4)
        w = big(big(w, self.stamp, 8), self.stamp, 8)
        big(big(big(big(w, producer, 8), epoch, 2), sequence, 4), self.count, 4)
        if FAST:
            big(self.at + SUMMED - 4, crc32c(self.at + SUMMED, self.size - SUMMED), 4)
        else:
            big(self.at + SUMMED - 4, calc_crc32c(<bytes>self.at[SUMMED : self.size]), 4)
        return PyBytes_FromStringAndSize(self.at, self.size)


cdef class Packing:
    """What fills. `names`: the topics' names in Kafka, by ours. `stamp`: milliseconds since the epoch."""

    cdef dict names, open, batches
    cdef uint32_t partitions
    cdef int64_t stamp

    def __cinit__(self, dict names, uint32_t partitions, int64_t stamp):
        self.names, self.partitions, self.stamp = names, partitions, stamp
        self.open, self.batches = {topic: [None] * partitions for topic in names}, {}

    def all(self, records):
        """Pack these. Answers the batches they are in."""
        cdef set touched = set()
        for topic, key, value in records:
            touched.add(self.put(topic, key, key, value, NO_HEADERS))
        return touched

    def one(self, str topic, bytes place, bytes key, bytes value, headers):
        """Into the batch of its partition, which `place` decides."""
        return self.put(topic, place, key, value, headers)

    cdef Batch put(self, str topic, bytes place, bytes key, bytes value, headers):
        cdef list of_topic = <list>self.open[topic]
        cdef Py_ssize_t number = crc32(place) % self.partitions
        cdef Batch batch = <Batch>of_topic[number] if of_topic[number] is not None else None
        if batch is None or not batch.append(key, value, headers):
            batch = of_topic[number] = Batch((self.names[topic], number), self.stamp)
            self.batches.setdefault(batch.place, []).append(batch)
            batch.append(key, value, headers)
        return batch

    def waves(self):
        """The batches; a request may hold one of each place, so what has more goes in several."""
        return [[batch for batch in wave if batch is not None] for wave in zip_longest(*self.batches.values())]


cdef list NO_HEADERS = []
