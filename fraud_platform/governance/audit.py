"""The audit trail: what was done, by whom, to what, when and why, in a chain that shows what is missing or changed.

It only grows; nothing here changes or removes an entry. Judging a trail belongs to `audit_verification`.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit_entry import AuditEntry, Event, Head, NoEntryError, compose_line, parse_line
from fraud_platform.governance.audit_store import TrailStore, open_trail_store
from fraud_platform.governance.keys import read_key

# What names the file of the key.
KEY_SETTING = "FRAUD_AUDIT_KEY_FILE"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AuditTrail:
    """The trail of one installation, safe for any number of writers.

    Attributes:
        store: where its lines are.
        actor: who acts, unless an entry says otherwise.
        clock: tells the time in UTC; asked once an entry's place is taken, so that times follow the order.
        key: signs every entry; None leaves them unsigned.
    """

    store: TrailStore
    actor: str
    clock: Callable[[], datetime]
    key: bytes | None = None

    def record(
        self,
        event: Event,
        *,
        subject: str,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        actor: str | None = None,
    ) -> AuditEntry:
        """Adds an entry; once it is returned, it is safe.

        Card numbers in any text are masked. The entry's head also goes to the log, which is kept elsewhere: whoever
        removes the end of the trail would have to remove it there too.

        Raises:
            PlatformError: the trail's last line is no entry, so that nothing can be chained to it.
            OSError: the trail cannot be written.
        """

        def compose(last_line: bytes | None, fragment: bytes) -> list[bytes]:
            last = self._read_last(last_line)
            lines = []
            if fragment:
                cut_off = {"bytes": len(fragment), "sha256": hashlib.sha256(fragment).hexdigest()}
                lines.append(self._compose(last, "interruption", "audit trail", "a write was cut off", cut_off, None))
                last, _ = parse_line(lines[0])
            lines.append(self._compose(last, event, subject, reason, details or {}, actor))
            return lines

        entry, _ = parse_line(self.store.append(compose)[-1])
        _log.info("audit trail: %s of %s is entry %s", event, entry.subject, entry.head)
        return entry

    def head(self) -> Head | None:
        """The head of the last entry; None in an empty trail."""
        last = self._read_last(self.store.last())
        return last.head if last else None

    def entries(self, *, after: int = 0) -> Iterator[AuditEntry]:
        """Every entry behind place `after` that can be read, oldest first; `verify` says whether they are genuine."""
        for line in self.store.lines(after):
            try:
                yield parse_line(line)[0]
            except NoEntryError as problem:
                _log.warning("the audit trail holds a line that %s; run `fraud-platform audit verify`", problem)

    def _compose(
        self,
        last: AuditEntry | None,
        event: Event,
        subject: str,
        reason: str,
        details: Mapping[str, Any],
        actor: str | None,
    ) -> bytes:
        return compose_line(
            last=last,
            at=self.clock().astimezone(UTC),
            event=event,
            actor=actor or self.actor,
            subject=subject,
            reason=reason,
            details=details,
            key=self.key,
        )

    @staticmethod
    def _read_last(line: bytes | None) -> AuditEntry | None:
        if line is None:
            return None
        try:
            return parse_line(line)[0]
        except NoEntryError:
            raise PlatformError(
                "the last line of the audit trail is damaged, and nothing can follow it; run `fraud-platform audit "
                "verify`, then restore the trail, or move it away so that a new one begins"
            ) from None


def open_trail(url: str, *, actor: str, clock: Callable[[], datetime], key_file: str = "") -> AuditTrail:
    """The trail in a folder or below an `s3://` prefix, signed where there is a `key_file`; it need not exist yet.

    Raises:
        PlatformError: the key file cannot be read, or its key is too short.
    """
    key = read_key(key_file, setting=KEY_SETTING)
    return AuditTrail(open_trail_store(url), actor=actor, clock=clock, key=key)


def is_wanted(
    entry: AuditEntry,
    *,
    event: str | None = None,
    actor: str | None = None,
    subject: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
) -> bool:
    """Whether `entry` fits every filter that is given: event and days exactly, actor and subject by a part of them."""
    day = entry.at[:10]
    return (
        (event is None or entry.event == event)
        and (actor is None or actor in entry.actor)
        and (subject is None or subject in entry.subject)
        and (first_day is None or day >= first_day.isoformat())
        and (last_day is None or day <= last_day.isoformat())
    )
