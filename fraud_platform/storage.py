"""Where bytes live: turns a path or `s3://` URL into a filesystem, and writes a file whole or not at all.

How the files of assets are laid out belongs to `day_store`, what the bytes mean to the room that owns them.
"""

import errno
import glob
import hashlib
import json
import os
import platform
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from upath import UPath

from fraud_platform.processes import is_alive


def open_location(url: str | os.PathLike[str]) -> UPath:
    """The folder or object-store prefix behind `url`; local folders become absolute.

    AWS's own variables (`AWS_ENDPOINT_URL`, `AWS_PROFILE`, ...) choose server and credentials of `s3://` URLs.
    """
    path = UPath(url)
    return path if is_remote(path) else UPath(os.path.abspath(path.path))


def is_remote(path: UPath) -> bool:
    """Whether `path` lives in an object store rather than on this machine's disk."""
    return path.protocol not in ("", "file", "local")


def absence_of(path: UPath) -> str | None:
    """Why there is no file to be read at `path`, for a message; None where there is one.

    A pipe or device is none: it may never begin or end.
    """
    if path.is_file():
        return None
    return "no regular file but a folder, pipe or device" if path.exists() else "no such file"


def is_storage_failure(error: BaseException) -> bool:
    """Whether the storage said no, rather than the data: an OSError, or S3's client that reaches nobody."""
    # Only who has used S3 can hold such an error, and then its client is loaded.
    botocore = sys.modules.get("botocore.exceptions")
    return isinstance(error, OSError) or (botocore is not None and isinstance(error, botocore.BotoCoreError))


def write_atomically(path: UPath, data: bytes) -> None:
    """Puts `data` at `path` so that a reader sees all of it or what was there before, whatever dies in between.

    Object stores publish an upload only when it is complete; on disk the bytes go to a hidden neighbour that is
    flushed and then renamed.

    Raises:
        OSError: the location cannot be written.
    """
    if is_remote(path):
        # A key cached as missing would hide the object we are about to write.
        path.fs.invalidate_cache()
        path.write_bytes(data)
        return
    with written_in_parts(path) as file:
        file.write(data)


@contextmanager
def written_in_parts(path: UPath) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, whole; what was there stays when it does not.

    For an object store it is a temporary file of this machine, uploaded in the end.

    Raises:
        OSError: the location cannot be written.
    """
    if is_remote(path):
        with tempfile.NamedTemporaryFile(suffix=".partial") as file:
            yield file
            file.flush()
            path.fs.invalidate_cache()
            path.fs.put_file(file.name, path.path)
        return
    remove_abandoned(path)
    with _named_when_written(path, os.replace) as file:
        yield file


def create_exclusively(path: UPath, data: bytes) -> None:
    """Puts `data` at `path`, whole, where nothing is yet; of several writers exactly one succeeds.

    On disk a complete hidden file is given its name by a hard link, which fails where the name is taken; an object
    store is sent `If-None-Match: *`, which the server must honour (AWS and current S3-compatible servers do).

    Raises:
        FileExistsError: something is there already.
        OSError: the location cannot be written.
    """
    if is_remote(path):
        path.fs.invalidate_cache()
        try:
            path.fs.pipe_file(path.path, data, mode="create")
        except OSError as error:
            if _is_taken(error):
                raise FileExistsError(errno.EEXIST, "exists already", str(path)) from error
            raise
        return
    remove_abandoned(path)
    with _named_when_written(path, os.link) as file:
        file.write(data)


@contextmanager
def _named_when_written(path: UPath, give_name: Callable[[str, str], None]) -> Iterator[IO[bytes]]:
    """A hidden neighbour of `path`, flushed to the disk and then given its name; gone where the block fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = (path.parent / f".{path.name}.{_writer(os.getpid())}.{uuid.uuid4().hex}.partial").path
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        give_name(temporary, path.path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _is_taken(error: OSError) -> bool:
    """Whether an object store refused because of `If-None-Match`, or because two such writes met."""
    response = getattr(error.__cause__, "response", None) or {}
    code = response.get("Error", {}).get("Code")
    return isinstance(error, FileExistsError) or code in ("PreconditionFailed", "ConditionalRequestConflict", "412")


def _writer(process: int | str) -> str:
    return f"{platform.node()}-{process}"


def remove_abandoned(path: UPath) -> None:
    """Removes what a writer of `path` on this machine left behind when it was killed; an object store keeps nothing."""
    if is_remote(path):
        return
    for entry in path.parent.glob(f".{glob.escape(path.name)}.{glob.escape(_writer(''))}*.partial"):
        process = entry.name.removeprefix(f".{path.name}.{_writer('')}").split(".")[0]
        if process.isdecimal() and not is_alive(int(process)):
            entry.unlink(missing_ok=True)


def sha256(data: bytes) -> str:
    """The digest of `data` as `sha256:<64 hex digits>`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def canonical_json(document: Any) -> bytes:
    """`document` as JSON: the same bytes for the same content (sorted keys, no NaN), a final newline."""
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
