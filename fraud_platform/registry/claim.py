"""One change of the champion at a time, also where several programs share a registry that knows no locks.

Each writes a claim of its own, then looks at all claims: whoever sees another's takes its own back and is refused. Two
at the same moment see each other, and both are refused. A claim says which process holds it, so that one killed on this
machine keeps nobody waiting. What is done under a claim does not belong here.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from fraud_platform.errors import RegistryError
from fraud_platform.processes import is_dead, process_mark
from fraud_platform.registry.record_store import RecordStore

CLAIM_TAG = "promotion_claim_"
# A claim of a process that died elsewhere must not hold the registry for ever; what is done under it takes seconds.
CLAIM_MINUTES = 10


@contextmanager
def claimed(store: RecordStore, version: str, *, at: datetime) -> Iterator[None]:
    """Holds the registry for a change about `version`, within the block.

    Raises:
        RegistryError: somebody else changes the champion now.
    """
    tag, now = f"{CLAIM_TAG}{uuid.uuid4().hex}", at.astimezone(UTC)
    store.set_tag(version, tag, f"{now.isoformat()} {process_mark()}")
    try:
        for record in store.records():
            for name in [name for name in record.tags if name.startswith(CLAIM_TAG) and name != tag]:
                began, _, holder = record.tags[name].partition(" ")
                since = datetime.fromisoformat(began)
                if abs(now - since) < timedelta(minutes=CLAIM_MINUTES) and not is_dead(holder):
                    raise RegistryError(
                        f"the champion is being changed by somebody else (to version {record.version}, since "
                        f"{since:%Y-%m-%d %H:%M:%S} UTC); try again when that is over, or after {CLAIM_MINUTES} "
                        "minutes if it died"
                    )
                store.delete_tag(record.version, name)
        yield
    finally:
        store.delete_tag(version, tag)
