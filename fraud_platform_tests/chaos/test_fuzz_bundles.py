"""Whatever is in a bundle: it is refused in a line, or it gives probabilities; nothing dies of it, nothing hangs.

Changed bytes alone never get past the seal. So the forger here seals and lists what he changed, as somebody could who
writes to the registry: what he cannot do is make the platform fall over.
"""

import json
from collections.abc import Iterator
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
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}), st.just([[0, 1]]),
    st.sampled_from([10**400, -1, "isotonic", "platt", "beta", "none", "ensemble", "xgboost", "NaN", "1e999"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def judge() -> Iterator[BundleJudge]:
    found = BundleJudge()
    yield found
    found.close()


@pytest.fixture(scope="module")
def bundles() -> dict[str, bytes]:
    return {algorithm: make_bundle(algorithm).to_bytes() for algorithm in CANDIDATES}


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
def test_a_changed_byte_is_always_refused(bundles: dict[str, bytes], algorithm: str, data: st.DataObject) -> None:
    content = bundles[algorithm]
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
@given(st.sampled_from(DOCUMENTS), st.data())
def test_a_document_with_odd_values_is_refused_or_scores(
    bundles: dict[str, bytes], judge: BundleJudge, name: str, data: st.DataObject
) -> None:
    members = read_sealed_archive(bundles["logistic_regression"])
    document = json.loads(members[name])
    _put_somewhere(data, document, data.draw(ODD_VALUES))
    # Python writes NaN and Infinity, as a careless forger would.
    members[name] = json.dumps(document).encode()
    assert_is_refused_or_scores(judge.judge(sealed(members, is_listed=name != "manifest.json")))


@fuzzed(60)
@given(st.sampled_from(sorted(CANDIDATES)), st.data())
def test_a_damaged_model_file_is_refused_or_scores(
    bundles: dict[str, bytes], judge: BundleJudge, algorithm: str, data: st.DataObject
) -> None:
    members = read_sealed_archive(bundles[algorithm])
    name = data.draw(st.sampled_from(sorted(set(members) - {"manifest.json"})))
    content = members[name]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        piece = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"0", b"-1", b"nan", b"999999999", b"\n"])))
        kept = data.draw(st.sampled_from([0, 1, len(piece), 40]))
        content = content[:at] + piece + content[at + kept :]
    assert_is_refused_or_scores(judge.judge(sealed({**members, name: content})))


@fuzzed(20)
@given(st.dictionaries(st.sampled_from(["manifest.json", *DOCUMENTS, "../x", "estimator/x", ""]), st.binary(max_size=30)))
def test_any_members_at_all_are_refused(members: dict[str, bytes]) -> None:
    assert isinstance(outcome_of(lambda: ModelBundle.from_bytes(sealed(members, is_listed=False))), ModelError)


def _put_somewhere(data: st.DataObject, document: Any, value: Any) -> None:
    """Replaces, removes or adds something at some depth of a JSON document."""
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        deeper = document[key]
        if isinstance(deeper, dict | list) and deeper and data.draw(st.booleans()):
            document = deeper
            continue
        if data.draw(st.booleans()):
            document[key] = value
        else:
            del document[key]
        return
