"""python -m tests.faults.verify: do Kafka and Redis hold what design.md section 6 promises? Exit 1 if not.

Ask when all is at rest: lag 0, outbox empty, no timer about to fire. `--ledger`: a file of messageIds, one a line, that
were answered 200. Where logs are sealed it needs KAIROS_ENCRYPTION_KEYS.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from streams.settings import master_keys
from tests.faults.verifier.checks import check
from tests.faults.verifier.evidence import Where, gather


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.verify", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kafka", default="127.0.0.1:9092", help="HOST:PORT")
    parser.add_argument("--redis", default="redis://127.0.0.1:6379/0", help="URL")
    parser.add_argument("--app", default="kairos")
    parser.add_argument("--prefix", default="", help="what stands before the topics' names")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--ledger", type=Path, help="messageIds that were answered 200, one a line")
    parser.add_argument("--clock-bound", type=float, default=0.2, help="as KAIROS_CLOCK_BOUND, seconds")
    parser.add_argument("--cut", action="store_true", help="logs or turn records are cut: fold nothing again")
    parser.add_argument("--json", action="store_true", help="one JSON line")
    given = parser.parse_args()
    masters = tuple(master_keys(os.environ.get("KAIROS_ENCRYPTION_KEYS", "")))
    where = Where(given.kafka, given.redis, given.app, given.prefix, given.partitions, masters)
    answered = dict.fromkeys(given.ledger.read_text().split() if given.ledger else (), 0.0)
    found = check(gather(where, answered, time.time(), given.clock_bound), whole=not given.cut)
    print(json.dumps(found.report()) if given.json else found)
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main())
