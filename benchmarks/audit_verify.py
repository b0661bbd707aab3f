"""Is a long audit trail quickly judged? Verifying 100,000 entries, against parsing and hashing the same lines.

The peer reads each line with `json.loads` and takes its SHA-256, which is the least anybody could do who has to look at
every entry. The absolute limit, 5 s, is held against the slowest round.

    python benchmarks/audit_verify.py [REPEATS]
"""

import hashlib
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from measuring import Cost, Ratio, alternate, cost_of_call, print_costs, print_ratios, ratios

from fraud_platform.governance.audit_entry import AuditEntry, compose_line, parse_line
from fraud_platform.governance.audit_store import FileTrail
from fraud_platform.governance.audit_verification import verify

ENTRIES = 100_000
LIMIT_SECONDS = 5.0
LIMIT_RATIO = 5.0
KEY = b"a key of this benchmark, no secret"
UNSIGNED, SIGNED, PEER = "verify", "verify, signed", "json.loads + sha256"


def write_trail(path: Path) -> None:
    """A trail of releases, signed, as the platform writes them."""
    last: AuditEntry | None = None
    lines = []
    for number in range(ENTRIES):
        line = compose_line(
            last=last,
            at=datetime.now(UTC),
            event="release",
            actor="dagster@platform",
            subject=f"model/1.{number}.0",
            reason="better by more than the limit",
            details={"bundle_sha256": f"sha256:{number:064x}", "trigger": "schedule", "champion": f"1.{number}.0"},
            key=KEY,
        )
        last, _ = parse_line(line)
        lines.append(line)
    path.write_bytes(b"".join(lines))


def main(repeats: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory(prefix="fraud-benchmark-") as folder:
        write_trail(Path(folder) / "trail.jsonl")
        store = FileTrail(Path(folder))

        def judge(key: bytes | None) -> None:
            found = verify(store.lines(), key=key)
            if not found.is_sound or found.entry_count != ENTRIES:
                raise SystemExit(f"the trail is not as it was written: {found.problems[:1]}")

        def parse_and_hash() -> None:
            for line in store.lines():
                json.loads(line)
                hashlib.sha256(line).hexdigest()

        peers = {
            UNSIGNED: lambda: cost_of_call(lambda: judge(None)),
            SIGNED: lambda: cost_of_call(lambda: judge(KEY)),
            PEER: lambda: cost_of_call(parse_and_hash),
        }
        costs: dict[str, list[Cost]] = alternate(peers, repeats=repeats)
        print_costs(f"{ENTRIES:,} entries", costs)
        found = [*ratios(costs, UNSIGNED, PEER, LIMIT_RATIO), *ratios(costs, SIGNED, PEER, LIMIT_RATIO)]
        seconds = [cost.wall_seconds for cost in costs[SIGNED]]
        found.append(Ratio(f"{SIGNED}, seconds", max(seconds), min(seconds), max(seconds), LIMIT_SECONDS))
        print_ratios(found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
