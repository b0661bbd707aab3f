"""One entry of the audit trail as a line of JSON: who did what to what, when and why, chained to the entry before it.

Where lines are kept does not belong here (`audit_store`), nor whether a whole trail is sound (`audit_verification`).

    {"seq":2,"at":"...","event":"release","actor":"...","subject":"...","reason":"...","details":{},
     "previous":"<hash of entry 1>","hash":"<SHA-256 of the line up to here>","mac":"<HMAC of the hash, with a key>"}
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from fraud_platform.errors import PlatformError
from fraud_platform.governance.pan_guard import MASK, holds_card_number, mask_card_numbers

Event = Literal[
    "deployment",
    "release",
    "rejection",
    "champion_kept",
    "promotion",
    "approval",
    "rollback",
    "retraining",
    "test_reading",
    "export",
    "explanation",
    "erasure",
    "retraining_needed",
    "retention",
    "interruption",
    "note",
]
EVENTS: tuple[Event, ...] = get_args(Event)

# What the first entry names as the one before it.
GENESIS = "0" * 64

_LINE = re.compile(rb'(\{.*),"hash":"([0-9a-f]{64})"(?:,"mac":"([0-9a-f]{64})")?\}\n?')
_HEAD = re.compile(r"(\d+):([0-9a-f]{16,64})")
_FIELDS = ("seq", "at", "event", "actor", "subject", "reason", "details", "previous")
_KINDS = (int, str, str, str, str, str, dict, str)


class NoEntryError(ValueError):
    """A line that is no entry: damaged, cut off, or written by somebody else."""


@dataclass(frozen=True)
class Head:
    """The place and hash of an entry, which vouch for every entry up to it.

    Attributes:
        seq: the entry's number, from 1.
        hash: its hash, 64 hex digits; an expectation may hold only the first 16 or more.
        source: where an expectation was noted; empty for a head that was read.
    """

    seq: int
    hash: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str, *, source: str = "") -> "Head":
        """The head written as `SEQ:HASH`.

        Raises:
            PlatformError: it is not.
        """
        match = _HEAD.fullmatch(text.strip())
        if not match:
            raise PlatformError(f"{text!r} is no head of a trail; write SEQ:HASH as `audit verify` prints it")
        return cls(int(match[1]), match[2], source)


@dataclass(frozen=True)
class AuditEntry:
    """One entry.

    Attributes:
        seq: its number in the trail, from 1, without gaps.
        at: when, ISO 8601, UTC.
        event: what happened, one of `EVENTS`.
        actor: who did it.
        subject: what it happened to, such as `model:1.2.0`; a transaction by its pseudonym.
        reason: why.
        details: figures and names that belong to it.
        previous: hash of the entry before it.
        hash: SHA-256 over everything above, 64 hex digits.
        mac: HMAC-SHA256 of the hash, where the trail is kept with a key.
    """

    seq: int
    at: str
    event: str
    actor: str
    subject: str
    reason: str
    details: Mapping[str, Any]
    previous: str
    hash: str
    mac: str | None

    @property
    def head(self) -> Head:
        """What vouches for the trail up to here."""
        return Head(self.seq, self.hash)

    def as_dict(self) -> dict[str, Any]:
        """The entry as a JSON document."""
        return {name: getattr(self, name) for name in (*_FIELDS, "hash", "mac")}


def compose_line(
    *,
    last: AuditEntry | None,
    at: datetime,
    event: Event,
    actor: str,
    subject: str,
    reason: str,
    details: Mapping[str, Any],
    key: bytes | None,
) -> bytes:
    """The line that follows `last`, with its line end; card numbers in any of its texts are masked.

    Raises:
        ValueError: `event` is unknown, or `details` hold what JSON cannot.
    """
    if event not in EVENTS:
        raise ValueError(f"event {event!r} is none of {', '.join(EVENTS)}")
    fields = (
        last.seq + 1 if last else 1,
        at.isoformat(timespec="microseconds"),
        event,
        _without_cards(actor),
        _without_cards(subject),
        _without_cards(reason),
        _without_cards(dict(details)),
        last.hash if last else GENESIS,
    )
    body = json.dumps(dict(zip(_FIELDS, fields, strict=True)), separators=(",", ":"), allow_nan=False).encode()
    digest = _digest_of(body[:-1])
    signature = f',"mac":"{sign(digest, key)}"' if key else ""
    return body[:-1] + f',"hash":"{digest}"{signature}}}\n'.encode()


def parse_line(line: bytes) -> tuple[AuditEntry, bool]:
    """The entry in `line`, and whether its content gives the hash it carries.

    Raises:
        NoEntryError: it holds none.
    """
    match = _LINE.fullmatch(line)
    if not match:
        raise NoEntryError("is no entry of an audit trail")
    try:
        fields = json.loads(match[1] + b"}")
        values = [fields[name] for name in _FIELDS]
    except (ValueError, KeyError, RecursionError):
        raise NoEntryError("is no entry of an audit trail") from None
    # Exactly: True is an int to `isinstance`, and no number of an entry.
    if any(type(value) is not kind for value, kind in zip(values, _KINDS, strict=True)):
        raise NoEntryError("is no entry of an audit trail")
    digest = match[2].decode()
    mac = match[3].decode() if match[3] else None
    return AuditEntry(**dict(zip(_FIELDS, values, strict=True)), hash=digest, mac=mac), _digest_of(match[1]) == digest


def sign(digest: str, key: bytes) -> str:
    """The HMAC-SHA256 of an entry's hash, 64 hex digits."""
    return hmac.new(key, digest.encode(), "sha256").hexdigest()


def is_signed_by(entry: AuditEntry, key: bytes) -> bool:
    """Whether the holder of `key` wrote `entry`."""
    return entry.mac is not None and hmac.compare_digest(entry.mac, sign(entry.hash, key))


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _without_cards(value: Any) -> Any:
    """`value` with every card number in it masked, whatever it is made of."""
    if isinstance(value, str):
        return mask_card_numbers(value)
    if isinstance(value, Mapping):
        return {mask_card_numbers(str(name)): _without_cards(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_cards(each) for each in value]
    if isinstance(value, int | float) and holds_card_number(f"{value:.0f}"):
        return MASK
    return value
