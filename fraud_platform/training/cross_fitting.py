"""What models say of rows they were not fitted on: every row once, and the last days from the days before them.

What is concluded from the answers (calibration, thresholds, the choice) does not belong here.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraud_platform.training.calibration import log_odds, sigmoid
from fraud_platform.training.candidates import Candidate
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.estimators import Estimator
from fraud_platform.training.fitting import FitRows, Parameters
from fraud_platform.training.folding import fold_of_rows
from fraud_platform.training.sampling import subsample_legitimate

Floats = NDArray[np.float64]

FOLD_COUNT = 5
# All frauds and this many legitimate rows, weighted back, give the same answers as all rows to within luck.
FIT_LEGITIMATE_LIMIT = 60_000
# Of the days, the first to learn from; the others judge.
FORWARD_TRAIN_SHARE = 0.8
# With fewer frauds on either side the figure would be luck.
MINIMUM_FORWARD_FRAUDS = 10


@dataclass(frozen=True)
class Member:
    """One model to fit, alone or as part of an ensemble."""

    candidate: Candidate
    params: Parameters
    seed: int

    def fit(self, rows: LabelledRows, positions: np.ndarray, limit: int, *, threads: int = 1) -> Estimator:
        """The model fitted to the rows at `positions`: all frauds and at most `limit` legitimate rows."""
        chosen, weights = subsample_legitimate(rows.labels[positions], limit, np.random.default_rng(self.seed))
        fitted = FitRows.to_learn(rows, positions[chosen], weights)
        return self.candidate.fit(self.params, fitted, seed=self.seed, threads=threads)


def out_of_fold(member: Member, rows: LabelledRows, *, seed: int) -> Floats:
    """The uncalibrated probability of each row, [n], from the one of 5 models that saw neither it nor a twin of it.

    Args:
        member: what to fit.
        rows: training and validation rows.
        seed: of the folds, so that all members share them.

    Raises:
        DataError: fewer distinct frauds than folds.
    """
    from joblib import cpu_count

    fold_of_row = fold_of_rows(rows.labels, rows.twin_groups, count=FOLD_COUNT, seed=seed)

    def answers(fold: int) -> Floats:
        return _answers(member, rows, np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold))

    probabilities = np.empty(rows.row_count)
    with ThreadPoolExecutor(min(FOLD_COUNT, cpu_count())) as pool:
        for fold, part in enumerate(pool.map(answers, range(FOLD_COUNT))):
            probabilities[fold_of_row == fold] = part
    return probabilities


def forward(members: Sequence[Member], rows: LabelledRows) -> tuple[np.ndarray, Floats] | None:
    """Positions of the last fifth of the days and their uncalibrated probabilities, from models of the days before.

    None where the rows span too few days, or either side holds fewer than 10 frauds.
    """
    days = np.unique(rows.days)
    if len(days) * (1 - FORWARD_TRAIN_SHARE) < 1:
        return None
    is_later = rows.days >= days[int(len(days) * FORWARD_TRAIN_SHARE)]
    earlier = np.flatnonzero(~is_later)
    later = np.flatnonzero(is_later & ~np.isin(rows.twin_groups, rows.twin_groups[earlier]))
    if min((rows.labels[side] == 1).sum() for side in (earlier, later)) < MINIMUM_FORWARD_FRAUDS:
        return None
    return later, blended([_answers(member, rows, earlier, later) for member in members])


def blended(answers: Sequence[Floats]) -> Floats:
    """The mean of the members' answers in log-odds, as a probability, [n]; a single member's stay as they are."""
    if len(answers) == 1:
        return answers[0]
    return sigmoid(np.mean([log_odds(each) for each in answers], axis=0))


def _answers(member: Member, rows: LabelledRows, fit_on: np.ndarray, answer_for: np.ndarray) -> Floats:
    estimator = member.fit(rows, fit_on, FIT_LEGITIMATE_LIMIT)
    # The folds share the cores already.
    estimator.threads = 1
    return estimator.predict_probability(rows.features[answer_for])
