"""Which code and which environment made a model, read from files.

Nothing is executed to find out: no git, no package manager. What the model learnt from does not belong here.
"""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from fraud_platform.storage import sha256

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class CodeProvenance:
    """The code and environment of a training.

    Attributes:
        git_commit: hex digits of the commit that is checked out; None outside a git checkout.
        uv_lock_sha256: `sha256:<64 hex digits>` of `uv.lock`; None where there is none.
        python_version: such as "3.11.7".
    """

    git_commit: str | None
    uv_lock_sha256: str | None
    python_version: str


def code_provenance(root: Path) -> CodeProvenance:
    """What is known about the code in the checkout `root`."""
    return CodeProvenance(git_commit(root), uv_lock_sha256(root), python_version())


def git_commit(root: Path) -> str | None:
    """The commit that is checked out at `root`; None outside a git checkout and before its first commit."""
    git = root / ".git"
    if git.is_file():
        # A worktree or submodule: the file says where its git folder is.
        git = root / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    head = _text(git / "HEAD")
    if not head.startswith("ref:"):
        return head if _COMMIT.fullmatch(head) else None
    reference = head.removeprefix("ref:").strip()
    shared = git / (_text(git / "commondir") or ".")
    for folder in (git, shared):
        commit = _text(folder / reference)
        if _COMMIT.fullmatch(commit):
            return commit
    for line in _text(shared / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == reference and _COMMIT.fullmatch(commit):
            return commit
    return None


def uv_lock_sha256(root: Path) -> str | None:
    """The digest of `uv.lock` in `root`; None where there is none."""
    lock = root / "uv.lock"
    return sha256(lock.read_bytes()) if lock.is_file() else None


def python_version() -> str:
    """The version of the Python that runs this."""
    return platform.python_version()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
