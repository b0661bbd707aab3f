"""What remains of an erased transaction: a keyed hash of its identifier, by which ingestion knows it again.

Removing it from what is stored belongs to `erasure`.

Not the identifier, because a tombstone outlives what it stands for: whoever reads a list of tombstones, an audit trail
or a footer must not learn which transactions were erased, and an identifier the bank can resolve is personal data.
A plain hash would not do: identifiers can be enumerated and hashed. The key is random, made with the first tombstone
and kept beside them, since ingestion needs both; who may read the whole folder can therefore *test* an identifier.

    <root>/key                       64 hexadecimal digits
    <root>/<hash of identifier>      one empty object per erased transaction, created and never removed
"""

import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from upath import UPath

from fraud_platform.errors import PlatformError
from fraud_platform.storage import create_exclusively, is_remote, open_location, remove_abandoned

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "tombstones"
_KEY = "key"
_KEY_TEXT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Tombstones:
    """The transactions that were erased, as far as they can be recognised.

    Attributes:
        key: what identifiers are hashed with; empty where nothing was ever erased.
        pseudonyms: the hashes, 64 hexadecimal digits each.
    """

    key: bytes = b""
    pseudonyms: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.pseudonyms)

    def pseudonyms_of(self, identifiers: "pa.StringArray") -> np.ndarray:
        """The pseudonym of each erased transaction among `identifiers` [n], None for the others: object [n]."""
        found = np.full(len(identifiers), None, dtype=object)
        if self:
            for position, identifier in enumerate(identifiers.to_pylist()):
                if identifier is not None and (pseudonym := pseudonym_of(identifier, self.key)) in self.pseudonyms:
                    found[position] = pseudonym
        return found


NOTHING_ERASED = Tombstones()


def pseudonym_of(transaction_id: str, key: bytes) -> str:
    """HMAC-SHA256 of the identifier, 64 hexadecimal digits; the same transaction, the same pseudonym."""
    return hmac.digest(key, transaction_id.encode(), "sha256").hex()


def transaction_subject(transaction_id: str, key: bytes) -> str:
    """What an entry of the audit trail calls a transaction."""
    return f"transaction/{pseudonym_of(transaction_id, key)}"


def read_tombstones(storage_url: str | os.PathLike[str]) -> Tombstones:
    """Every tombstone in the storage below a folder or `s3://` prefix; a single listing where nothing was erased.

    Raises:
        PlatformError: there are tombstones, but not the key they were made with.
        OSError: the storage failed.
    """
    folder = open_location(storage_url) / FOLDER
    names = _names(folder)
    if not names - {_KEY}:
        return Tombstones()
    return Tombstones(_read_key(folder), frozenset(names - {_KEY}))


def key_of(storage_url: str | os.PathLike[str]) -> bytes:
    """The key of this storage, made at the first call; of several makers at once, one wins for all.

    Raises:
        PlatformError: there are tombstones, but not the key they were made with.
        OSError: the storage failed.
    """
    folder = open_location(storage_url) / FOLDER
    names = _names(folder)
    if _KEY not in names and not names:
        try:
            create_exclusively(folder / _KEY, secrets.token_hex(32).encode())
        except FileExistsError:
            return _read_key(folder)
    return _read_key(folder)


def leave_tombstones(storage_url: str | os.PathLike[str], transaction_ids: Iterable[str]) -> dict[str, str]:
    """The pseudonym of each transaction, its tombstone left before this returns; leaving one again changes nothing.

    Raises:
        OSError: the storage failed; some may have been left.
    """
    folder, key = open_location(storage_url) / FOLDER, key_of(storage_url)
    pseudonyms = {transaction_id: pseudonym_of(transaction_id, key) for transaction_id in transaction_ids}
    # Whoever made the key is not asked again, and may have been killed when the key had its name.
    remove_abandoned(folder / _KEY)
    for pseudonym in pseudonyms.values():
        try:
            create_exclusively(folder / pseudonym, b"")
        except FileExistsError:
            continue
    return pseudonyms


def _names(folder: UPath) -> set[str]:
    if is_remote(folder):
        folder.fs.invalidate_cache()
    try:
        entries = folder.fs.ls(folder.path, detail=False)
    except FileNotFoundError:
        return set()
    names = (entry.rstrip("/").rpartition("/")[2] for entry in entries)
    return {name for name in names if name == _KEY or _KEY_TEXT.fullmatch(name)}


def _read_key(folder: UPath) -> bytes:
    try:
        text = (folder / _KEY).read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        text = ""
    if not _KEY_TEXT.fullmatch(text):
        raise PlatformError(
            f"{folder / _KEY} is missing or damaged, so erased transactions cannot be recognised; restore it from a "
            "backup before anything is ingested"
        )
    return bytes.fromhex(text)
