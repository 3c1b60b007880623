"""All settings, read once from the environment and checked together.

Every variable begins with `KAIROS_`. `python -m streams.settings` prints README's table; a test compares the two.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.families import ALL, Kept, read_families, write_families

PREFIX = "KAIROS_"
SECRET = frozenset(("encryption_keys", "write_keys", "identity_secret"))
"""Never shown, not even where they are at fault."""


def _write_keys(text: str) -> str:
    WriteKey.parse(text)
    return text


def _facts(text: str) -> str:
    return write_families(read_families(text))


MASTER_BYTES = 32


def master_keys(text: str) -> list[bytes]:
    """Master keys in base64, several by commas. Raises ValueError, which never says what was given."""
    keys = []
    for number, part in enumerate(filter(None, (p.strip() for p in text.split(","))), 1):
        try:
            key = base64.b64decode(part, validate=True)
        except ValueError:
            raise ValueError(f"wanted {MASTER_BYTES} bytes in base64 as key {number}; got no base64") from None
        if len(key) != MASTER_BYTES:
            raise ValueError(f"wanted {MASTER_BYTES} bytes in base64 as key {number}; got {len(key)} bytes")
        keys.append(key)
    return keys


def _master_keys(text: str, others: ValidationInfo) -> str:
    if not master_keys(text) and others.data.get("encrypt"):
        raise ValueError("wanted at least one key, for KAIROS_ENCRYPT is on; got none")
    return text


KEY = "key {}: wanted kind:source:key, kind browser or server, key of 8 or more characters"


class WriteKey:
    """A key a source writes with: bound to the source's name and to its rights."""

    __slots__ = ("key", "kind", "source")

    def __init__(self, key: str, kind: str, source: str) -> None:
        self.key, self.kind, self.source = key, kind, source

    @classmethod
    def parse(cls, text: str) -> "list[WriteKey]":
        """`kind:source:key`, several by commas. Kind `browser` may send behaviour only, `server` everything."""
        keys = []
        for number, part in enumerate(filter(None, (p.strip() for p in text.split(","))), 1):
            kind, _, rest = part.partition(":")
            source, _, key = rest.partition(":")
            if kind not in ("browser", "server"):
                raise ValueError(f"{KEY.format(number)}; got another kind")
            if not source or len(key) < 8:
                raise ValueError(f"{KEY.format(number)}; got {'a key of ' + str(len(key)) if source else 'no source'}")
            keys.append(cls(key, kind, source))
        return keys


class Settings(BaseSettings):
    """One frozen object for the whole process; parts are given what they need of it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    app: str = Field(
        "kairos",
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$",
        description="name of this installation: prefix of Redis keys, consumer group, transactional ids",
    )
    kafka: str = Field("127.0.0.1:9092", description="Kafka brokers, host:port, several by commas")
    kafka_transactions: Literal["auto", "on", "off"] = Field(
        "auto", description="fence the relay by Kafka transactions; `auto` asks the broker"
    )
    redis: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern=r"^rediss?(\+cluster)?://.+$",
        description="Redis URL; redis+cluster:// or rediss+cluster:// for Redis Cluster",
    )
    topic_prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,60}$",
        description="what stands before the name of every topic, on a shared Kafka",
    )
    partitions: int = Field(
        4, ge=1, le=1000, description="partitions of every topic; fixed for the life of the installation"
    )
    facts: Annotated[str, AfterValidator(_facts)] = Field(
        write_families(ALL),
        description="families of facts kept of customers, by commas, or `none`; fixed until a `kairos rebuild`; "
        "see The 360 view",
    )

    host: str = Field("127.0.0.1", description="address the collector listens on")
    port: int = Field(8080, ge=0, le=65535, description="port the collector listens on; 0 takes a free one")
    api_host: str = Field("127.0.0.1", description="address the profile API listens on")
    api_port: int = Field(8081, ge=0, le=65535, description="port the profile API listens on; 0 takes a free one")
    metrics_host: str = Field("127.0.0.1", description="address of health and metrics")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="port of a worker's health and metrics; 0 takes a free one"
    )
    write_keys: Annotated[str, AfterValidator(_write_keys)] = Field(
        "", description="write keys as kind:source:key, several by commas; kind is browser or server"
    )
    identity_secret: str = Field(
        "",
        description="secret of identity tokens, by which a browser may link its anonymousId; empty: none is believed",
    )
    encrypt: bool = Field(
        False, description="seal what collector and relay write with a key a customer; see Sealed logs"
    )
    encryption_keys: Annotated[str, AfterValidator(_master_keys)] = Field(
        "",
        validate_default=True,
        repr=False,
        description="master keys, each 32 bytes in base64, several by commas: the first wraps new keys, all unwrap",
    )
    event_bytes: int = Field(32_768, ge=1024, description="largest event, bytes")
    batch_bytes: int = Field(512_000, ge=1024, description="largest batch after inflating, bytes")
    batch_events: int = Field(2_500, ge=1, description="most events in a batch")
    inflight_bytes: int = Field(
        64_000_000, ge=1_000_000, description="bytes of requests waiting for Kafka before the collector answers 503"
    )
    ack_seconds: float = Field(
        10.0, gt=0, description="longest wait for Kafka's acknowledgement before the collector answers 503, seconds"
    )
    linger_ms: int = Field(
        0,
        ge=0,
        le=1000,
        description="collector's wait for more events before a produce, ms; the embedded broker likes 50",
    )
    rate_per_key: int = Field(0, ge=0, description="events a second one write key may send; 0: no limit; above it 429")

    instance: str = Field("", description="static member id of this worker in its group; empty: dynamic membership")
    session_seconds: float = Field(
        10.0, ge=1.0, le=90.0, description="session time-out of a worker in its group, seconds"
    )
    fetch_wait_ms: int = Field(100, ge=1, description="longest wait of a fetch for new records, ms")
    pause_ms: float = Field(
        0.0,
        ge=0.0,
        le=100.0,
        description="pause after a fetch that brought records, ms: larger turns; worth it on an overloaded machine",
    )
    turn_records: int = Field(10_000, ge=1, description="most records in a turn")
    room_records: int = Field(10_000, ge=1, description="records waiting in a partition before its fetches pause")
    outbox_limit: int = Field(
        50_000, ge=100, description="triggers waiting for Kafka in a partition before its fetches pause"
    )
    cache_customers: int = Field(12_500, ge=0, description="customers a partition keeps in memory")
    clock_bound: float = Field(0.2, ge=0.0, description="how far two clocks may differ, seconds")
    poison_percent: float = Field(
        5.0,
        ge=0,
        le=100,
        description="faulty records of one cause, in percent, above which a partition halts; 100: never",
    )
    turn_history: int = Field(10_000, ge=0, description="turn records a partition keeps; 0: all")
    playbook: Path | None = Field(None, description="playbook that `kairos init` publishes; empty: the one shipped")
    playbook_seconds: float = Field(
        1.0, gt=0, description="how often workers look for a newly published playbook, seconds"
    )
    watchdog_seconds: float = Field(
        60.0, ge=5.0, description="a worker without sign of life for so long ends itself, seconds"
    )
    log: Literal["auto", "json", "text"] = Field(
        "auto", description="log lines: json, text, or auto (text at a terminal)"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level of log lines")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment; no files."""
        return init_settings, env_settings

    def topic(self, name: str) -> str:
        """A topic's name in Kafka."""
        return self.topic_prefix + name

    def kept(self) -> Kept:
        """Families of facts that are kept."""
        return read_families(self.facts)

    def keys(self) -> list[WriteKey]:
        """The write keys, parsed."""
        return WriteKey.parse(self.write_keys)

    def masters(self) -> list[bytes]:
        """The master keys; none: nothing sealed can be read."""
        return master_keys(self.encryption_keys)

    def environment(self) -> dict[str, str]:
        """These settings as variables, for a process we start. Only what differs from the defaults."""
        changed = self.model_dump(mode="json", exclude_defaults=True)
        return {PREFIX + name.upper(): str(value) for name, value in changed.items()}


class BadSettings(Exception):
    """Settings with faults; the text names them all, each with its variable."""


def read_settings(**given: object) -> Settings:
    """Settings from the environment, `given` first. Raises BadSettings with every fault."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = []
        for fault in exc.errors():
            name = PREFIX + str(fault["loc"][0]).upper()
            got = "..." if fault["loc"][0] in SECRET else repr(fault["input"])
            faults.append(f"  {name}={got}: {fault['msg']}")
        raise BadSettings("settings: " + str(len(faults)) + " at fault\n" + "\n".join(faults)) from None


def table() -> str:
    """README's table of settings."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, info in Settings.model_fields.items():
        default = "" if info.default in (None, "") else f"`{info.default}`"
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {info.description} |")
    return "\n".join(rows)


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and are none: most often a typing error."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


if __name__ == "__main__":
    print(table())
