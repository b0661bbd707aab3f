"""Whether a day is sound: the share of quarantined rows against its limit."""

import json

import pytest

from fraud_platform.errors import DataError
from fraud_platform.ingestion.gate import judge_day, require_sound_day


def footer(landed: int, **by_reason: int) -> dict[str, str]:
    return {
        "landed_row_count": str(landed),
        "quarantined_count": str(sum(by_reason.values())),
        "quarantined_by_reason": json.dumps(by_reason),
    }


@pytest.mark.parametrize(
    ("landed", "quarantined", "is_sound"),
    [
        (1000, 10, True),  # exactly the limit
        (1000, 11, False),
        (1000, 0, True),
        (0, 0, True),  # a file with a header and no rows
        (1, 1, False),
    ],
)
def test_up_to_the_limit_a_day_is_sound(landed, quarantined, is_sound):
    verdict = judge_day(footer(landed, missing=quarantined), max_share=0.01)
    assert verdict.is_sound is is_sound
    assert verdict.share == (quarantined / landed if landed else 0)
    assert verdict.limit == 0.01


def test_the_verdict_is_a_sentence_with_its_reasons():
    verdict = judge_day(footer(2000, missing=30, infinite=12), max_share=0.01)
    assert verdict.sentence == "42 of 2,000 landed rows are quarantined (2.10%, limit 1.00%)"
    assert verdict.by_reason == {"missing": 30, "infinite": 12}


def test_an_unsound_day_is_refused_with_what_to_do():
    with pytest.raises(DataError) as refusal:
        require_sound_day(footer(2000, missing=30, infinite=12), max_share=0.01)
    assert str(refusal.value) == (
        "raw_transactions: 42 of 2,000 landed rows are quarantined (2.10%, limit 1.00%): 30 x missing, 12 x infinite; "
        "mend the landed files, or raise FRAUD_MAX_QUARANTINE_SHARE"
    )


def test_a_sound_day_passes_with_its_verdict():
    verdict = require_sound_day(footer(2000, missing=20), max_share=0.01)
    assert verdict.is_sound
    assert verdict.sentence == "20 of 2,000 landed rows are quarantined (1.00%, limit 1.00%)"
