"""An erased transaction is known again by its tombstone, and from the tombstone alone nobody learns which it was."""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from fraud_platform.errors import PlatformError
from fraud_platform.governance.tombstones import (
    key_of,
    leave_tombstones,
    pseudonym_of,
    read_tombstones,
    transaction_subject,
)
from fraud_platform.storage import open_location

ERASED = ["bank-1", "20260110-a53be12f08c7d946", "with / slash", "Ünïcode"]


@pytest.fixture(params=["disk", "s3"])
def url(request, tmp_path) -> str:
    return str(tmp_path) if request.param == "disk" else f"{request.getfixturevalue('s3_url')}/storage"


def test_where_nothing_was_erased_nothing_is_recognised_and_nothing_written(url):
    tombstones = read_tombstones(url)
    assert not tombstones
    assert tombstones.pseudonyms_of(pa.array(["bank-1"])).tolist() == [None]
    assert not (open_location(url) / "tombstones").exists()


def test_erased_transactions_are_recognised_and_no_others(url):
    pseudonyms = leave_tombstones(url, ERASED)
    found = read_tombstones(url).pseudonyms_of(pa.array(["bank-2", *ERASED, None, "bank-1 "]))
    assert found.tolist() == [None, *(pseudonyms[name] for name in ERASED), None, None]
    assert leave_tombstones(url, ["bank-1", "bank-3"])["bank-1"] == pseudonyms["bank-1"]
    assert len(read_tombstones(url).pseudonyms) == 5


def test_a_tombstone_tells_nobody_without_the_key_whose_it_is(url):
    import hashlib

    pseudonyms = leave_tombstones(url, ERASED)
    folder = open_location(url) / "tombstones"
    folder.fs.invalidate_cache()
    text = "".join(f"{path.name}{path.read_text()}" for path in folder.iterdir())
    assert not any(name in text for name in ERASED)
    assert hashlib.sha256(b"bank-1").hexdigest() not in text
    assert pseudonyms["bank-1"] == pseudonym_of("bank-1", key_of(url)) != pseudonym_of("bank-1", b"x" * 32)
    assert transaction_subject("bank-1", key_of(url)) == f"transaction/{pseudonyms['bank-1']}"


def test_every_installation_has_a_key_of_its_own(tmp_path):
    assert key_of(str(tmp_path / "a")) != key_of(str(tmp_path / "b"))


def test_first_erasures_at_the_same_time_share_one_key(url):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda number: (leave_tombstones(url, [f"bank-{number}"]), key_of(url))[1], range(8)))
    assert len(keys) == 1
    assert len(read_tombstones(url).pseudonyms) == 8


@pytest.mark.parametrize("content", [None, b"", b"not a key"])
def test_tombstones_without_their_key_stop_ingestion(tmp_path, content):
    leave_tombstones(str(tmp_path), ["bank-1"])
    key = tmp_path / "tombstones" / "key"
    key.unlink()
    if content is not None:
        key.write_bytes(content)
    for look in (read_tombstones, key_of):
        with pytest.raises(PlatformError, match="erased transactions cannot be recognised; restore it"):
            look(str(tmp_path))
