"""Whether frauds are known better than real fraud allows: the mark of a feature that has learnt the answer.

The limits, and what follows from them, belong to the acceptance gates.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.ingestion.schema import TRUE_FRAUD_RATE
from fraud_platform.metrics import ranked_counts
from fraud_platform.training.bootstrap import RankingGroups, sample_jointly
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.prevalence import legitimate_weight, row_weights

# Of the rows beyond a value, the share that must be frauds for the value to tell them from the others.
NEARLY_ALL = 0.95
# Of the bootstrap: how many samples, and which quantile of them is the lower end of a 95 % interval.
_SAMPLES, _LOWER_END = 200, 0.025


@dataclass(frozen=True)
class SingleFeature:
    """A feature and how well it does alone, in the better direction, in [0, 1]."""

    feature: str
    value: float


@dataclass(frozen=True)
class Telltales:
    """What is known of the frauds, as if they were 0.173 % of the rows.

    Attributes:
        strongest: the feature that ranks them best alone, by average precision; in the public file V14, with 0.64.
        purest: the feature that alone tells most of them from the others nearly without a mistake: the share of all
            frauds that lies beyond a value beyond which 95 % are frauds, one legitimate row more than was seen
            counted; in a sample of the public file no feature tells any.
        average_precision_bound: what all features together reach with confidence: the lower end of the 95 % interval
            of the model's average precision, out of fold; on the public file 0.82.
    """

    strongest: SingleFeature
    purest: SingleFeature
    average_precision_bound: float

    def as_dict(self) -> dict[str, Any]:
        """The signs as a JSON document."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Telltales":
        """The signs that `as_dict` wrote."""
        strongest, purest = (SingleFeature(**document[name]) for name in ("strongest", "purest"))
        return cls(strongest, purest, document["average_precision_bound"])


def telltales(rows: LabelledRows, answers: np.ndarray, *, seed: int) -> Telltales:
    """What single features, and a model with all of them, know of the frauds among these rows of both classes.

    Args:
        rows: what the model learns from.
        answers: what it says of each row without having seen it, [n]; any score that grows with suspicion.
        seed: of the bootstrap.
    """
    # What is plausible is known at the public file's rate, and every figure here grows with the rate of frauds.
    weight = legitimate_weight(rows.labels, TRUE_FRAUD_RATE)
    weights = row_weights(rows.labels, weight)
    strongest, purest = [], []
    for name, column in zip(FEATURE_NAMES, rows.features.T.astype(np.float64), strict=True):
        for sign in (1.0, -1.0):
            ranked = ranked_counts(rows.labels, sign * column, weights)
            # Of few rows none may lie there by luck: one more is counted than was seen.
            doubted = ranked.true_positives + ranked.false_positives + weight
            told = ranked.recalls[ranked.true_positives >= NEARLY_ALL * doubted]
            strongest.append(SingleFeature(name, ranked.average_precision))
            purest.append(SingleFeature(name, float(told.max(initial=0.0))))
    is_fraud = rows.labels == 1
    (sampled,) = sample_jointly(
        (RankingGroups.of(answers, is_fraud, None),),
        is_fraud,
        samples=_SAMPLES,
        generator=np.random.default_rng(seed),
        legitimate_weight=weight,
    )
    bound = float(np.quantile(sampled.average_precision()[1:], _LOWER_END))
    by_value = attrgetter("value")
    return Telltales(max(strongest, key=by_value), max(purest, key=by_value), bound)
