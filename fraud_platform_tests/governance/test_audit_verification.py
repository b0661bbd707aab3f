"""Whatever somebody does to a trail is found, and what cannot be found without help is found with it."""

import hashlib
import json
import re
from collections.abc import Callable

import pytest

from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit import open_trail
from fraud_platform.governance.audit_entry import AuditEntry, Head, compose_line, parse_line
from fraud_platform.governance.audit_verification import verify
from fraud_platform_tests.governance.conftest import KEY, NOON, ticking

COUNT = 6


def trail_lines(key: bytes | None = None, count: int = COUNT) -> list[bytes]:
    """A sound trail."""
    lines: list[bytes] = []
    last: AuditEntry | None = None
    for number in range(1, count + 1):
        lines.append(
            compose_line(
                last=last,
                at=NOON,
                event="release",
                actor="ada",
                subject=f"model:1.{number}.0",
                reason="better",
                details={"f1": 0.8},
                key=key,
            )
        )
        last, _ = parse_line(lines[-1])
    return lines


def chained_anew(lines: list[bytes], key: bytes | None = None) -> list[bytes]:
    """The trail as a forger leaves it who knows how hashes are computed: every number and hash fits."""
    forged: list[bytes] = []
    last: AuditEntry | None = None
    for line in lines:
        body = json.loads(line)
        again = {name: body[name] for name in ("event", "actor", "subject", "reason", "details")}
        forged.append(compose_line(last=last, at=NOON, key=key, **again))
        last, _ = parse_line(forged[-1])
    return forged


def said(lines: list[bytes], **options: object) -> list[str]:
    return [str(problem) for problem in verify(lines, **options).problems]


Change = Callable[[list[bytes]], list[bytes]]


def edited(pattern: bytes, replacement: bytes, position: int = 2) -> Change:
    return lambda lines: [
        re.sub(pattern, replacement, line) if number == position else line for number, line in enumerate(lines)
    ]


CHANGES: list[tuple[str, Change, str]] = [
    ("subject edited", edited(rb"model:1.3.0", b"model:9.9.9"), "line 3: entry 3 was edited"),
    ("time edited", edited(rb"12:00:00", b"13:00:00"), "line 3: entry 3 was edited"),
    ("white space added", edited(rb'"at":', b'"at": '), "line 3: entry 3 was edited"),
    ("hash edited", edited(rb'"hash":"....', b'"hash":"0000'), "line 3: entry 3 was edited"),
    ("last edited", edited(rb"ada", b"eve", COUNT - 1), f"line {COUNT}: entry {COUNT} was edited"),
    ("number is text", edited(rb'"seq":3', b'"seq":"3"'), "line 3: is no entry"),
    ("field removed", edited(rb'"reason":"better",', b""), "line 3: is no entry"),
    ("garbage", edited(rb".*\n", b"garbage\n"), "line 3: is no entry"),
    ("first removed", lambda lines: lines[1:], "line 1: entry 1 is missing before entry 2"),
    ("one removed", lambda lines: lines[:2] + lines[3:], "line 3: entry 3 is missing before entry 4"),
    ("two removed", lambda lines: lines[:2] + lines[4:], "line 3: entries 3 to 4 are missing before entry 5"),
    (
        "two exchanged",
        lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
        "line 3: entry 3 is missing before entry 4",
    ),
    ("one repeated", lambda lines: [*lines[:3], lines[2], *lines[3:]], "line 4: entry 3 stands out of order"),
    ("last repeated", lambda lines: [*lines, lines[-1]], f"line {COUNT + 1}: entry {COUNT} stands out of order"),
    ("blank line", lambda lines: [*lines[:3], b"\n", *lines[3:]], "line 4: is no entry"),
    ("cut off", lambda lines: [*lines[:-1], lines[-1][:-20]], f"line {COUNT}: is cut off"),
    ("line end lost", lambda lines: [*lines[:-1], lines[-1][:-1]], f"line {COUNT}: is cut off"),
    (
        "edited and its hash computed anew",
        lambda lines: [*lines[:2], *chained_anew([*lines[:2], lines[0]])[2:], *lines[3:]],
        "line 4: entry 4 does not follow from the entry before it",
    ),
]


def test_a_trail_as_it_was_written_is_sound():
    found = verify(trail_lines())
    assert (found.is_sound, found.entry_count, found.head.seq) == (True, COUNT, COUNT)


@pytest.mark.parametrize(("change", "words"), [pytest.param(*rest, id=name) for name, *rest in CHANGES])
@pytest.mark.parametrize("key", [None, KEY], ids=["unsigned", "signed"])
def test_a_changed_trail_is_found_and_the_line_is_named(change, words, key):
    problems = said(change(trail_lines(key)), key=key)
    # Who computes a hash anew without the key is found out one line earlier.
    assert any(problem.startswith(words) for problem in problems[:2])


@pytest.mark.parametrize("position", range(0, 400, 7))
def test_no_byte_can_be_changed_unseen(position):
    lines = trail_lines(KEY)
    line = bytearray(lines[3])
    position %= len(line)
    line[position] ^= 1
    assert not verify([*lines[:3], bytes(line), *lines[4:]], key=KEY).is_sound


# -- what needs a head that was noted elsewhere ---------------------------------------------------------------------


def test_without_a_head_the_end_can_be_removed_unseen():
    assert verify(trail_lines()[:-2]).is_sound


def test_with_a_head_a_removed_end_is_found():
    lines = trail_lines()
    head = verify(lines).head
    expected = [Head(head.seq, head.hash, "a letter")]
    assert said(lines[:-2], expected=expected) == [
        f"entry {COUNT} is missing (noted in a letter): the trail ends with entry {COUNT - 2}"
    ]
    assert said([], expected=expected) == [f"entry {COUNT} is missing (noted in a letter): the trail is empty"]


def test_a_trail_that_has_grown_since_still_fits_its_head():
    lines = trail_lines()
    heads = [verify(lines[:count]).head for count in (1, 3, COUNT)]
    assert verify(lines, expected=heads).is_sound
    assert verify(lines, expected=[Head.parse(f"3:{heads[1].hash[:16]}")]).is_sound


def test_a_trail_written_anew_is_found_by_a_head_or_by_the_key():
    lines = trail_lines(KEY)
    forged = chained_anew([*lines[:2], *lines[3:]])
    assert verify(forged).is_sound
    assert said(forged, expected=[verify(lines[:4]).head])[0].startswith(
        "line 4: entry 4 is not the one that was noted"
    )
    assert said(forged, key=KEY)[0].startswith("line 1: entry 1 is not signed")
    signed_by_another = chained_anew(lines, key=b"another key, just as long")
    assert said(signed_by_another, key=KEY)[0] == ("line 1: entry 1 is forged: its signature is not that of the key")


def test_a_key_that_came_later_counts_from_its_first_entry():
    unsigned = trail_lines(count=2)
    last, _ = parse_line(unsigned[-1])
    rest = {"at": NOON, "event": "note", "actor": "ada", "subject": "x", "reason": "", "details": {}}
    lines = [*unsigned, compose_line(last=last, key=KEY, **rest)]
    assert len(said(lines, key=KEY)) == 2
    assert verify(lines, key=KEY, signed_from=3).is_sound
    # Signatures that were taken away are missed.
    assert said(chained_anew(lines), key=KEY, signed_from=3)[0].startswith("line 3: entry 3 is not signed")


@pytest.mark.parametrize("text", ["", "12", "a:b", "1:abc", "1:" + "g" * 64, "-1:" + "a" * 64])
def test_what_is_no_head_is_refused(text):
    with pytest.raises(PlatformError, match="write SEQ:HASH"):
        Head.parse(text)


# -- in an object store ---------------------------------------------------------------------------------------------


def test_objects_removed_exchanged_or_added_are_found(s3_url):
    import boto3

    trail = open_trail(f"{s3_url}/audit", actor="ada", clock=ticking())
    for subject in "abcd":
        trail.record("note", subject=subject)
    client, bucket = boto3.client("s3"), s3_url.removeprefix("s3://")
    keys = [f"audit/000000/{number:012d}.json" for number in range(1, 5)]
    contents = [client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]

    def put(key: str, body: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=body)

    put(keys[1], contents[2])
    put(keys[2], contents[1])
    assert said(trail.store.lines())[0] == "line 2: entry 2 is missing before entry 3"
    put(keys[1], contents[1])
    put(keys[2], contents[2])
    assert said(trail.store.lines()) == []
    put("audit/000000/000000000002a.json", contents[1])
    assert "stands out of order" in said(trail.store.lines())[0]
    client.delete_object(Bucket=bucket, Key="audit/000000/000000000002a.json")
    client.delete_object(Bucket=bucket, Key=keys[2])
    assert said(trail.store.lines()) == ["line 3: entry 3 is missing before entry 4"]


def sealed(body: bytes) -> bytes:
    """A line with a hash that fits, whatever is in it."""
    return body[:-1] + f',"hash":"{hashlib.sha256(body[:-1]).hexdigest()}"}}\n'.encode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b'"event":"release"', b'"event":"nonsense"'), "an event that this platform does not know: 'nonsense'"),
        ((b'"at":"2026', b'"at":"x026'), "entry 1 has no time"),
        ((b'"seq":1', b'"seq":true'), "is no entry of an audit trail"),
        ((b'"details":{', b'"details":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b","), "is no entry"),
    ],
    ids=["event", "time", "number", "depth"],
)
def test_what_the_platform_never_writes_is_found_although_its_hash_fits(change, words):
    body = trail_lines(count=1)[0].partition(b',"hash":')[0] + b"}"
    assert said([sealed(body)]) == []
    (told,) = said([sealed(body.replace(*change))])
    assert words in told
