"""Apache Kafka, one process that is broker and controller (KRaft). Small, for tests and a machine of one's own.

A killed broker may come back only when its old session has ended: hence the short session.
Three brokers would differ in `controller.quorum.voters`, `node.id` and the replication factors: see `_properties`.
"""

import base64
import subprocess
import uuid
from pathlib import Path

from .jars import available, jars, java
from .kafka import names_a_broker
from .part import Failed, Part, free_port

_FLAGS = ["-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

_LOG = """status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


class Apache(Part):
    """Kafka with transactions, as production has it: ready in about 4 s, 200 to 350 MB."""

    kind = "apache"
    patience = 60.0

    def __init__(self, folder: Path, port: int = 0, log: Path | None = None, heap_mb: int = 256) -> None:
        super().__init__(folder, port, log)
        self._heap_mb = heap_mb
        self._controller = 0

    def check(self) -> None:
        available()

    def obtain(self) -> None:
        java()
        jars()

    def prepare(self) -> None:
        """Write the settings; format the storage when it is new."""
        self._controller = self._controller or free_port()
        self._settings.write_text(self._properties())
        (self.folder / "log4j2.properties").write_text(_LOG)
        if not (self.folder / "data" / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return [*self._java(f"-Xmx{self._heap_mb}m", log4j), "kafka.Kafka", str(self._settings)]

    def answers(self) -> bool:
        return names_a_broker("127.0.0.1", self.port)

    @property
    def _settings(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, *flags: str) -> list[str]:
        return [java(), *_FLAGS, *flags, "-cp", f"{jars()}/*"]

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)]
        done = subprocess.run(
            [*self._java("-Xmx128m"), *tool],
            env=self.environment(),
            preexec_fn=self.leash,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise Failed(f"apache: formatting {self.folder} ended with {done.returncode}\n{done.stdout}{done.stderr}")

    def _properties(self) -> str:
        return f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self._controller}
listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self._controller}
advertised.listeners=PLAINTEXT://{self.address}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={self.folder / "data"}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
"""
