"""A stored bundle is tried in a process that has never seen it, and whatever is wrong is one line."""

import pytest

from fraud_platform.errors import ModelError
from fraud_platform.registry.smoke_test import ROW_COUNT, smoke_test
from fraud_platform.storage import sha256
from fraud_platform_tests.registry.candidates import candidate


@pytest.fixture(scope="module")
def bundle():
    return candidate(rounds=5)


def test_a_good_bundle_scores_in_a_fresh_process(bundle):
    tested = smoke_test(bundle.to_bytes(), bundle.digest)
    assert tested.row_count == ROW_COUNT
    assert 0 <= tested.lowest <= tested.highest <= 1


def test_a_changed_byte_is_one_line(bundle):
    data = bytearray(bundle.to_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(ModelError, match="does not load and score: ") as refusal:
        smoke_test(bytes(data), sha256(bytes(data)))
    assert "\n" not in str(refusal.value)


def test_a_bundle_that_hangs_is_given_up(bundle):
    with pytest.raises(ModelError, match=r"gave no answer within 0.01 s"):
        smoke_test(bundle.to_bytes(), bundle.digest, timeout_seconds=0.01)
