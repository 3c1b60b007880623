"""What Faust is told."""

from pathlib import Path

from streams.engine.seam import Seam
from streams.settings import read_settings


class Crew:
    """Serves nothing."""

    def assigned(self, partitions: object) -> None: ...
    def revoked(self) -> None: ...
    def put(self, topic: str, partition: int, fetch: object) -> None: ...

    def has_room(self, partition: int) -> bool:
        return False

    def committed(self, topic: str, partition: int) -> None:
        return None


def test_waiting_for_redis_for_days_is_no_idleness(tmp_path: Path) -> None:
    """A worker with a poll interval left its group while Redis was away, and never came back."""
    conf = Seam(read_settings(), Crew(), str(tmp_path), lambda: None).app.conf
    assert conf.broker_max_poll_interval > 30 * 86_400
