"""Zip archives that are equal bytes for equal members, and sealed ones in which no byte can change unnoticed.

What the members mean does not belong here.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping

from fraud_platform.errors import ModelError
from fraud_platform.storage import sha256

# The earliest date a zip member can carry.
_NO_DATE = (1980, 1, 1, 0, 0, 0)
# The seal is the archive's comment, which a zip file ends with: the digest of every byte before it.
_SEAL_LENGTH = len(sha256(b""))
# Far above any model; an archive that unpacks to more is an attack on memory.
MAXIMUM_UNPACKED_BYTES = 1 << 30


def write_archive(members: Mapping[str, bytes], *, is_sealed: bool = False) -> bytes:
    """A zip of `members`, sorted by name, undated; compressed and sealed, or neither."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if is_sealed else zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, date_time=_NO_DATE)
            # Otherwise Python writes down which system it ran on.
            entry.create_system = 3
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, members[name], compress_type=archive.compression)
        if is_sealed:
            # Room for the seal; its length is part of what it seals.
            archive.comment = bytes(_SEAL_LENGTH)
    if not is_sealed:
        return buffer.getvalue()
    body = buffer.getvalue()[:-_SEAL_LENGTH]
    return body + sha256(body).encode()


def read_sealed_archive(data: bytes) -> dict[str, bytes]:
    """The members of a sealed archive, its seal checked before anything in it is looked at.

    Raises:
        ModelError: a byte differs from what was sealed, or it is no archive.
    """
    if sha256(data[:-_SEAL_LENGTH]).encode() != data[-_SEAL_LENGTH:]:
        raise ModelError("model bundle is damaged: its bytes do not match its seal; restore it or train again")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > MAXIMUM_UNPACKED_BYTES:
                raise ModelError(f"model bundle unpacks to more than {MAXIMUM_UNPACKED_BYTES} bytes; refused")
            if len({entry.filename for entry in entries}) < len(entries):
                raise ModelError("model bundle holds two members of one name; refused, train again")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
        reason = type(error).__name__
        raise ModelError(f"model bundle is not a readable archive ({reason}); restore it or train again") from None
