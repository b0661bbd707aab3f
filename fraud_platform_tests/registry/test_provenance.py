"""Which code made a model, held against what git itself and hashlib say."""

import hashlib
import platform
import subprocess
from pathlib import Path

import pytest

from fraud_platform.registry.provenance import CodeProvenance, code_provenance, git_commit


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    finished = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return finished.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--initial-branch", "main")
    git(folder, "commit", "--allow-empty", "--message", "first")
    return folder


def test_a_folder_without_git_or_lock_has_no_commit_and_no_lock(tmp_path: Path) -> None:
    assert code_provenance(tmp_path) == CodeProvenance(None, None, platform.python_version())


def test_a_repository_without_commits_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init")
    assert git_commit(tmp_path) is None


def test_the_commit_of_a_branch_is_what_git_says(checkout: Path) -> None:
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_the_commit_is_found_in_packed_references(checkout: Path) -> None:
    git(checkout, "pack-refs", "--all")
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_the_commit_of_a_detached_head_is_found(checkout: Path) -> None:
    git(checkout, "checkout", "--detach")
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_the_commit_of_a_worktree_is_its_own(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "worktree", "add", "-b", "other", str(tmp_path / "other"))
    git(tmp_path / "other", "commit", "--allow-empty", "--message", "second")
    assert git_commit(tmp_path / "other") == git(tmp_path / "other", "rev-parse", "HEAD")
    assert git_commit(tmp_path / "other") != git_commit(checkout)


def test_the_lock_is_known_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_bytes(b"version = 1\n")
    expected = hashlib.sha256(b"version = 1\n").hexdigest()
    assert code_provenance(tmp_path).uv_lock_sha256 == f"sha256:{expected}"
