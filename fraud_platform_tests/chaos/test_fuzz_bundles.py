"""Whatever is in a bundle: it is refused in a line, or it gives probabilities; nothing dies of it, nothing hangs.

Changed bytes alone never get past the seal. So the forger here seals and lists what he changed, as somebody could who
writes to the registry: what he cannot do is make the platform fall over.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.errors import ModelError
from fraud_platform.storage import canonical_json, sha256
from fraud_platform.training.archive import read_sealed_archive, write_archive
from fraud_platform.training.bundle import ModelBundle
from fraud_platform.training.candidates import CANDIDATES
from fraud_platform_tests.chaos.bundle_judge import BundleJudge
from fraud_platform_tests.chaos.fuzzing import fuzzed, outcome_of
from fraud_platform_tests.training.test_bundle import make_bundle

DOCUMENTS = ["calibration.json", "threshold.json", "alternatives.json", "provenance.json", "manifest.json"]
ODD_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}),
    st.sampled_from([[[0, 1]], 10**400, -1, "isotonic", "platt", "beta", "none", "ensemble", "NaN", "1e999"]),
)  # fmt: skip

# Whose files Python reads. XGBoost and LightGBM read theirs in C++, which a forged file ends or stalls: therefore a
# model is tried in a process of its own before it may decide (`registry.smoke_test`).
READ_HERE = ["logistic_regression", "random_forest"]
SHARE = st.floats(0, 1)
PIECES = st.one_of(st.binary(max_size=8), st.sampled_from([b"0", b"-1", b"nan", b"999999999", b"\n"]))
# How much of what was there goes.
KEPT = st.sampled_from([0, 1, 4, 40])


@pytest.fixture(scope="module")
def judge() -> Iterator[BundleJudge]:
    found = BundleJudge()
    yield found
    found.close()


@cache
def bundle(algorithm: str) -> bytes:
    """A small one of that family."""
    return make_bundle(algorithm).to_bytes()


def sealed(members: dict[str, bytes], *, is_listed: bool = True) -> bytes:
    """A bundle of `members` as a forger makes it."""
    if is_listed:
        manifest = json.loads(members["manifest.json"])
        listed = {name: sha256(content) for name, content in members.items() if name != "manifest.json"}
        members = {**members, "manifest.json": canonical_json({**manifest, "members": listed})}
    return write_archive(members, is_sealed=True)


def assert_is_refused_or_scores(found: Any) -> None:
    assert set(found) <= {"refused", "answers"}, found
    if "refused" in found:
        assert "\n" not in found["refused"]
        return
    assert all(0 <= float(answer) <= 1 for answer in found["answers"]), found


@fuzzed(30)
@given(st.sampled_from(sorted(CANDIDATES)), st.data())
def test_a_changed_byte_is_always_refused(algorithm: str, data: st.DataObject) -> None:
    content = bundle(algorithm)
    at = data.draw(st.integers(0, len(content) - 1))
    changed = data.draw(
        st.sampled_from(
            [
                content[:at],
                content[:at] + content[at + 1 :],
                content[:at] + b"\x00" + content[at:],
                content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :],
                content + content[at:],
                content[at:] + content[:at] if at else b"",
            ]
        )
    )
    assert isinstance(outcome_of(lambda: ModelBundle.from_bytes(changed)), ModelError)


@fuzzed(60)
@given(
    st.sampled_from(sorted(CANDIDATES)),
    st.sampled_from(DOCUMENTS),
    st.lists(SHARE, min_size=1, max_size=4),
    ODD_VALUES,
    st.booleans(),
)
def test_a_document_with_odd_values_is_refused_or_scores(
    judge: BundleJudge,
    algorithm: str,
    name: str,
    path: list[float],
    value: Any,
    is_removed: bool,
) -> None:
    members = read_sealed_archive(bundle(algorithm))
    document = json.loads(members[name])
    _change(document, path, value, is_removed=is_removed)
    # Python writes NaN and Infinity, as a careless forger would.
    members[name] = json.dumps(document).encode()
    assert_is_refused_or_scores(judge.judge(sealed(members, is_listed=name != "manifest.json")))


@fuzzed(60)
@given(st.sampled_from(READ_HERE), SHARE, st.lists(st.tuples(SHARE, PIECES, KEPT), min_size=1, max_size=4))
def test_a_damaged_model_file_is_refused_or_scores(
    judge: BundleJudge,
    algorithm: str,
    which: float,
    damages: list[tuple[float, bytes, int]],
) -> None:
    members = read_sealed_archive(bundle(algorithm))
    # Every other time the estimator itself.
    names = [name for name in sorted(members) if name != "manifest.json"]
    name = next(each for each in names if each.startswith("estimator/")) if which < 0.5 else _at(names, 2 * which - 1)
    content = members[name]
    for where, piece, kept in damages:
        at = int(where * len(content))
        content = content[:at] + piece + content[at + kept :]
    assert_is_refused_or_scores(judge.judge(sealed({**members, name: content})))


@fuzzed(20)
@given(
    st.dictionaries(st.sampled_from(["manifest.json", *DOCUMENTS, "../x", "estimator/x", ""]), st.binary(max_size=30))
)
def test_any_members_at_all_are_refused(members: dict[str, bytes]) -> None:
    assert isinstance(outcome_of(lambda: ModelBundle.from_bytes(sealed(members, is_listed=False))), ModelError)


def _change(document: Any, path: list[float], value: Any, *, is_removed: bool) -> None:
    """Puts `value` in the place of something at some depth of a JSON document, or removes what is there."""
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key, *path = _at(keys, path[0]), *path[1:]
        if not path or not isinstance(document[key], dict | list):
            break
        document = document[key]
    if is_removed:
        del document[key]
    else:
        document[key] = value


def _at(things: Sequence[Any], share: float) -> Any:
    return things[min(int(share * len(things)), len(things) - 1)]
