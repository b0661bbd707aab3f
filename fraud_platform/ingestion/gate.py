"""Whether a day is sound enough to decide on: the verdict on its quarantined share, from what is known of the day.

Which rows are quarantined does not belong here (`quarantine`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fraud_platform.errors import DataError


@dataclass(frozen=True)
class DayVerdict:
    """Whether a day may be used.

    Attributes:
        is_sound: no more rows are quarantined than allowed.
        share: quarantined rows as a share of the landed ones, in [0, 1].
        limit: the largest share allowed.
        by_reason: quarantined rows by reason.
        sentence: the verdict in words.
    """

    is_sound: bool
    share: float
    limit: float
    by_reason: Mapping[str, int]
    sentence: str


def judge_day(footer: Mapping[str, str], *, max_share: float) -> DayVerdict:
    """The verdict on a day.

    Args:
        footer: what `IngestionSummary.as_metadata` wrote about it.
        max_share: the largest share of quarantined rows that is allowed, in [0, 1].
    """
    landed, quarantined = int(footer["landed_row_count"]), int(footer["quarantined_count"])
    share = quarantined / landed if landed else 0.0
    by_reason = {str(reason): int(count) for reason, count in json.loads(footer["quarantined_by_reason"]).items()}
    sentence = f"{quarantined:,} of {landed:,} landed rows are quarantined ({share:.2%}, limit {max_share:.2%})"
    return DayVerdict(share <= max_share, share, max_share, by_reason, sentence)


def require_sound_day(footer: Mapping[str, str], *, max_share: float) -> DayVerdict:
    """The verdict on a sound day; any other is refused. A check blocks only inside one run, this holds in every run.

    Raises:
        DataError: too many rows of the day are quarantined.
    """
    verdict = judge_day(footer, max_share=max_share)
    if not verdict.is_sound:
        reasons = ", ".join(f"{count} x {reason}" for reason, count in verdict.by_reason.items())
        raise DataError(
            f"raw_transactions: {verdict.sentence}: {reasons}; "
            "mend the landed files, or raise FRAUD_MAX_QUARANTINE_SHARE"
        )
    return verdict
