"""Is a Kafka broker ready? An open port is not yet an answer: ask for metadata until it names a broker."""

import socket
import struct

_METADATA_V1 = struct.pack(">hhihi", 3, 1, 1, -1, 0)
"""Api key 3, version 1, correlation id 1, no client id, no topics."""


def names_a_broker(host: str, port: int, seconds: float = 1.0) -> bool:
    """Does a broker there know of a live broker? Raises OSError when nobody answers in time."""
    with socket.create_connection((host, port), timeout=seconds) as sock:
        sock.sendall(struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1)
        (size,) = struct.unpack(">i", _read(sock, 4))
        reply = _read(sock, size)
    _, brokers = struct.unpack_from(">ii", reply)
    return bool(brokers > 0)


def _read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("the broker hung up")
        data += more
    return data
