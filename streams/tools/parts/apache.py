"""Apache Kafka, each process broker and controller (KRaft): one, or three. Small, for tests and a machine of one's own.

A killed broker may come back only when its old session has ended: hence the short session.
"""

import base64
import subprocess
import uuid
from pathlib import Path
from typing import Any

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

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        log: Path | None = None,
        heap_mb: int = 256,
        node: int = 1,
        voters: str = "",
        proxy: tuple[int, int] | None = None,
    ) -> None:
        """`voters`: the controllers of all brokers, `1@HOST:PORT,2@...`; empty: this one is alone. `proxy`: a second
        port to listen on, and the port of the proxy before it, which its clients are sent back to."""
        super().__init__(folder, port, log)
        self._heap_mb, self._node, self._voters, self._proxy = heap_mb, node, voters, proxy

    def check(self) -> None:
        available()

    def obtain(self) -> None:
        java()
        jars()

    def prepare(self) -> None:
        """Write the settings; format the storage when it is new."""
        self._voters = self._voters or f"{self._node}@127.0.0.1:{free_port()}"
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
        cluster = base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_OID, self._voters).bytes).decode().rstrip("=")
        # one word, since an id may begin with a hyphen
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self._settings)]
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
        voters = dict(voter.split("@") for voter in self._voters.split(","))
        listeners, advertised = [f"PLAINTEXT://{self.address}"], [f"PLAINTEXT://{self.address}"]
        if self._proxy:
            listeners.append(f"PROXIED://127.0.0.1:{self._proxy[0]}")
            advertised.append(f"PROXIED://127.0.0.1:{self._proxy[1]}")
        copies, enough = (3, 2) if len(voters) > 2 else (1, 1)
        return f"""process.roles=broker,controller
node.id={self._node}
controller.quorum.voters={self._voters}
listeners={",".join(listeners)},CONTROLLER://{voters[str(self._node)]}
advertised.listeners={",".join(advertised)}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
log.dirs={self.folder / "data"}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={enough}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={enough}
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
"""


def three_brokers(name: str = "kafka") -> list[dict[str, Any]]:
    """What to ask a guard for: three brokers that are one Kafka. Two of them must live."""
    voters = ",".join(f"{node}@127.0.0.1:{free_port()}" for node in (1, 2, 3))
    return [{"name": f"{name}-{node}", "kind": Apache.kind, "node": node, "voters": voters} for node in (1, 2, 3)]
