"""What the audit trail keeps: who, what, when and why, in order, whatever writers meet or die."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import pytest

from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit import is_wanted, open_trail
from fraud_platform.governance.audit_entry import GENESIS
from fraud_platform.governance.audit_verification import verify
from fraud_platform_tests.bad_files import CARD
from fraud_platform_tests.governance.conftest import KEY, ticking


def test_an_entry_says_who_did_what_to_what_when_and_why(trail):
    first = trail.record("release", subject="model:1.0.0", reason="first champion", details={"f1": 0.8})
    second = trail.record("promotion", subject="model:1.1.0", reason="better", actor="grace")
    assert [entry.as_dict() for entry in trail.entries()] == [first.as_dict(), second.as_dict()]
    assert (first.seq, first.at, first.event, first.actor) == (1, "2026-01-02T12:00:00.000000+00:00", "release", "ada")
    assert (first.subject, first.reason, first.details) == ("model:1.0.0", "first champion", {"f1": 0.8})
    assert (second.seq, second.actor, first.previous, second.previous) == (2, "grace", GENESIS, first.hash)
    assert trail.head() == second.head
    assert verify(trail.store.lines()).head == second.head


def test_the_hash_is_that_of_the_text_before_it(disk_trail):
    entry = disk_trail.record("note", subject="x")
    (line,) = disk_trail.store.lines()
    text, _, rest = line.partition(b',"hash":"')
    assert rest == f'{entry.hash}"}}\n'.encode()
    assert hashlib.sha256(text).hexdigest() == entry.hash
    assert json.loads(line)["hash"] == entry.hash


def test_an_empty_trail_is_sound_and_has_no_head(trail):
    assert trail.head() is None
    assert list(trail.entries()) == []
    assert verify(trail.store.lines()).is_sound


def test_a_trail_of_many_folders_stays_in_order(trail, monkeypatch):
    monkeypatch.setattr("fraud_platform.governance.audit_store._PER_FOLDER", 3)
    monkeypatch.setattr("fraud_platform.governance.audit_store._OBJECTS_PER_READ", 2)
    for number in range(1, 11):
        assert trail.record("note", subject=f"number {number}").seq == number
    assert [entry.subject for entry in trail.entries()] == [f"number {number}" for number in range(1, 11)]
    assert verify(trail.store.lines()).is_sound


def test_no_text_of_an_entry_holds_a_card_number(trail):
    trail.record(
        "note",
        subject=f"file {CARD}.csv",
        reason="4111-1111-1111-1111",
        actor=CARD,
        details={CARD: [CARD, {"n": int(CARD)}, float(CARD)], "count": 3, "is_new": True, "share": 0.5},
    )
    content = b"".join(trail.store.lines())
    # Four digits alone turn up in digests, by chance.
    assert b"4111-1111" not in content
    assert content.count(b"[card number]") == 7
    (entry,) = trail.entries()
    assert {"count": 3, "is_new": True, "share": 0.5}.items() <= entry.details.items()


@pytest.mark.parametrize("event", ["", "releases"])
def test_an_event_nobody_knows_is_a_mistake(trail, event):
    with pytest.raises(ValueError, match="is none of deployment, release"):
        trail.record(event, subject="x")
    assert trail.head() is None


# -- writers that meet ----------------------------------------------------------------------------------------------

WRITER = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from fraud_platform.governance.audit import open_trail
    trail = open_trail(sys.argv[1], actor=sys.argv[2], clock=lambda: datetime.now(UTC))
    for number in range(int(sys.argv[3])):
        print(trail.record("note", subject=f"{sys.argv[2]} {number}").head, flush=True)
    """
)


def writers(url: str, count: int, entries: int) -> list[subprocess.Popen]:
    return [
        subprocess.Popen([sys.executable, "-c", WRITER, url, f"writer-{name}", str(entries)], stdout=subprocess.PIPE)
        for name in range(count)
    ]


def test_writers_of_several_processes_share_one_chain(trail_url):
    entries = 40 if not trail_url.startswith("s3") else 8
    processes = writers(trail_url, 3, entries)
    promised = [line for process in processes for line in process.communicate(timeout=60)[0].decode().split()]
    trail = open_trail(trail_url, actor="ada", clock=ticking())
    found = list(trail.entries())
    assert sorted(promised) == sorted(str(entry.head) for entry in found)
    assert [entry.seq for entry in found] == list(range(1, 3 * entries + 1))
    assert verify(trail.store.lines()).is_sound
    # Nobody's entries overtook each other, and times follow the order.
    for name in range(3):
        own = [entry.subject for entry in found if entry.actor == f"writer-{name}"]
        assert own == [f"writer-{name} {number}" for number in range(entries)]
    assert [entry.at for entry in found] == sorted(entry.at for entry in found)


def test_what_was_recorded_survives_writers_that_are_killed(tmp_path):
    processes = writers(str(tmp_path), 2, 100_000)
    promised = [process.stdout.readline() for process in processes for _ in range(20)]
    for process in processes:
        process.kill()
    promised += [line for process in processes for line in process.communicate()[0].splitlines(keepends=True)]
    trail = open_trail(str(tmp_path), actor="ada", clock=ticking())
    trail.record("note", subject="afterwards")
    assert verify(trail.store.lines()).is_sound
    # A line that was cut off on its way to us promised nothing.
    assert {line.decode().strip() for line in promised if line.endswith(b"\n")} <= {
        str(e.head) for e in trail.entries()
    }


def test_a_write_that_was_cut_off_is_replaced_by_an_entry_that_tells_of_it(disk_trail, tmp_path):
    disk_trail.record("note", subject="whole")
    path = tmp_path / "audit" / "trail.jsonl"
    fragment = b'{"seq":2,"at":"2026-01-02T12:00:0'
    with path.open("ab") as file:
        file.write(fragment)
    before = verify(disk_trail.store.lines())
    assert [str(problem)[:18] for problem in before.problems] == ["line 2: is cut off", "line 2: is no entr"]
    disk_trail.record("note", subject="next")
    assert [entry.event for entry in disk_trail.entries()] == ["note", "interruption", "note"]
    told = list(disk_trail.entries())[1].details
    assert told == {"bytes": len(fragment), "sha256": hashlib.sha256(fragment).hexdigest()}
    assert verify(disk_trail.store.lines()).is_sound


def test_a_first_write_that_was_cut_off_is_told_too(disk_trail, tmp_path):
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "trail.jsonl").write_bytes(b'{"seq":1')
    disk_trail.record("note", subject="first")
    assert [entry.event for entry in disk_trail.entries()] == ["interruption", "note"]
    assert verify(disk_trail.store.lines()).is_sound


def test_a_full_disk_leaves_the_trail_as_it_was(disk_trail, monkeypatch):
    disk_trail.record("note", subject="whole")
    real = os.pwrite

    def half(file: int, data: bytes, offset: int) -> int:
        if offset > 0 and len(data) < 100:
            raise OSError(28, "No space left on device")
        return real(file, data[: len(data) - 50], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(OSError, match="No space left"):
        disk_trail.record("note", subject="too much")
    monkeypatch.undo()
    assert verify(disk_trail.store.lines()).entry_count == 1
    assert disk_trail.record("note", subject="again").seq == 2
    assert verify(disk_trail.store.lines()).is_sound


def test_a_long_entry_is_read_back_whole(trail):
    trail.record("note", subject="long", details={"text": "x" * 300_000})
    trail.record("note", subject="short")
    assert [len(entry.details.get("text", "")) for entry in trail.entries()] == [300_000, 0]


def test_nothing_is_chained_to_a_damaged_line(disk_trail, tmp_path):
    disk_trail.record("note", subject="x")
    path = tmp_path / "audit" / "trail.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"hash"', b'"hush"'))
    with pytest.raises(PlatformError, match="last line of the audit trail is damaged"):
        disk_trail.record("note", subject="y")


def test_an_answer_that_got_lost_on_s3_records_once(s3_url, monkeypatch):
    from fraud_platform.governance import audit_store

    trail = open_trail(f"{s3_url}/audit", actor="ada", clock=ticking())
    create = audit_store.create_exclusively

    def lose_the_answer(path, data: bytes) -> None:
        create(path, data)
        create(path, data)

    monkeypatch.setattr(audit_store, "create_exclusively", lose_the_answer)
    assert trail.record("note", subject="once").seq == 1
    assert [entry.subject for entry in trail.entries()] == ["once"]


# -- the key --------------------------------------------------------------------------------------------------------


def test_with_a_key_every_entry_is_signed(trail_url, tmp_path):
    (tmp_path / "key").write_bytes(KEY + b"\n")
    trail = open_trail(trail_url, actor="ada", clock=ticking(), key_file=str(tmp_path / "key"))
    trail.record("note", subject="x")
    found = verify(trail.store.lines(), key=KEY)
    assert (found.is_sound, found.signed_count) == (True, 1)


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"short", "has 5 bytes, needed are 16")])
def test_a_key_that_cannot_be_used_stops_at_once(tmp_path, content, words):
    path = tmp_path / "key"
    if content:
        path.write_bytes(content)
    with pytest.raises(PlatformError, match=words):
        open_trail(str(tmp_path / "audit"), actor="ada", clock=ticking(), key_file=str(path))


# -- looking for entries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"event": "release"}, [1, 3]),
        ({"actor": "gra"}, [2]),
        ({"subject": "1.1.0"}, [2, 3]),
        ({"first_day": date(2026, 1, 3)}, [3]),
        ({"last_day": date(2026, 1, 2)}, [1, 2]),
        ({"event": "release", "subject": "1.1.0"}, [3]),
        ({"first_day": date(2026, 1, 4)}, []),
    ],
)
def test_entries_are_found_by_event_actor_subject_and_day(disk_trail, tmp_path, filters, expected):
    disk_trail.record("release", subject="model:1.0.0")
    disk_trail.record("promotion", subject="model:1.1.0", actor="grace")
    later = open_trail(str(tmp_path / "audit"), actor="ada", clock=ticking(disk_trail.clock().replace(day=3)))
    later.record("release", subject="model:1.1.0")
    assert [entry.seq for entry in later.entries() if is_wanted(entry, **filters)] == expected


def test_a_trail_on_disk_is_one_file_of_lines(disk_trail, tmp_path):
    for subject in "abc":
        disk_trail.record("note", subject=subject)
    (file,) = [path for path in Path(tmp_path).rglob("*") if path.is_file()]
    assert [json.loads(line)["subject"] for line in file.read_text().splitlines()] == ["a", "b", "c"]
