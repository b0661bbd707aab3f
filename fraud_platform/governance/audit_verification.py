"""Whether an audit trail is whole: every entry as it was written, in its place, none missing or foreign.

What can be found without help: an entry that was edited, removed from the middle, moved, repeated or inserted, unless
whoever did it also computed every later hash anew. With the key, that too, because hashes cannot be signed without it.
What cannot be found from the trail alone: that its *last* entries are gone, and, without a key, that it was written
anew from some entry on. For both a head is needed that was noted where the trail's writer cannot change it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fraud_platform.governance.audit_entry import (
    EVENTS,
    GENESIS,
    AuditEntry,
    Head,
    NoEntryError,
    is_signed_by,
    parse_line,
)

# As the platform writes them: UTC, to the microsecond.
_TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}\+00:00")


@dataclass(frozen=True)
class Problem:
    """What is wrong, and in which line, counted from 1; None where a line is missing at the end."""

    line: int | None
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


@dataclass(frozen=True)
class Verification:
    """What became of looking at every line.

    Attributes:
        entry_count: entries read.
        signed_count: those of them whose signature was checked and is right.
        head: of the last entry; None in an empty trail.
        problems: everything that is wrong, by line.
    """

    entry_count: int
    signed_count: int
    head: Head | None
    problems: tuple[Problem, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(
    lines: Iterable[bytes], *, key: bytes | None = None, signed_from: int = 1, expected: Sequence[Head] = ()
) -> Verification:
    """Looks at every line of a trail.

    Args:
        lines: as `TrailStore.lines` gives them.
        key: what entries were signed with; None where they are not.
        signed_from: with a key, the first entry that must be signed; greater than 1 where the key came later.
        expected: heads that were noted elsewhere; the trail must hold each of them, and may have grown since.
    """
    problems: list[Problem] = []
    wanted: dict[int, list[Head]] = {}
    for head in expected:
        wanted.setdefault(head.seq, []).append(head)
    entry_count = signed_count = 0
    last: AuditEntry | None = None
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            problems.append(
                Problem(number, "is cut off: a write that was interrupted, or somebody shortened the trail")
            )
        try:
            entry, is_intact = parse_line(line)
        except NoEntryError as error:
            problems.append(Problem(number, str(error)))
            continue
        entry_count += 1
        if not is_intact:
            problems.append(Problem(number, f"entry {entry.seq} was edited: its content does not give its hash"))
        problems += [Problem(number, text) for text in (*_foreign(entry), *_breaks(last, entry))]
        if key:
            is_signed = is_signed_by(entry, key)
            signed_count += is_signed
            if not is_signed and (entry.mac or entry.seq >= signed_from):
                problems.append(Problem(number, f"entry {entry.seq} {_unsigned(entry)}"))
        problems += [Problem(number, text) for text in _contradictions(entry, wanted.pop(entry.seq, []))]
        last = entry
    end = f"the trail ends with entry {last.seq}" if last else "the trail is empty"
    problems += [
        Problem(None, f"entry {head.seq} is missing{_noted(head)}: {end}")
        for heads in wanted.values()
        for head in heads
    ]
    return Verification(entry_count, signed_count, last.head if last else None, tuple(problems))


def _foreign(entry: AuditEntry) -> Iterator[str]:
    """What in `entry` the platform never writes."""
    if entry.event not in EVENTS:
        yield f"entry {entry.seq} tells of an event that this platform does not know: {entry.event[:40]!r}"
    if not _TIME.fullmatch(entry.at):
        yield f"entry {entry.seq} has no time: {entry.at[:40]!r}"


def _breaks(last: AuditEntry | None, entry: AuditEntry) -> Iterator[str]:
    """How `entry` fails to follow `last`."""
    due = last.seq + 1 if last else 1
    if entry.seq > due:
        missing = f"entry {due} is" if entry.seq == due + 1 else f"entries {due} to {entry.seq - 1} are"
        yield f"{missing} missing before entry {entry.seq}"
    elif entry.seq < due:
        yield f"entry {entry.seq} stands out of order: entry {due} was due"
    elif entry.previous != (last.hash if last else GENESIS):
        yield f"entry {entry.seq} does not follow from the entry before it: one of the two was replaced"


def _unsigned(entry: AuditEntry) -> str:
    if entry.mac:
        return "is forged: its signature is not that of the key"
    return "is not signed; if signing began later, say from which entry with --signed-from"


def _contradictions(entry: AuditEntry, heads: Iterable[Head]) -> Iterator[str]:
    for head in heads:
        if not entry.hash.startswith(head.hash):
            yield f"entry {entry.seq} is not the one that was noted{_noted(head)}: the trail was written anew"


def _noted(head: Head) -> str:
    return f" (noted in {head.source})" if head.source else ""
