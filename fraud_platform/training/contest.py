"""Which model is made: candidates searched, then compared by what they say of rows they were not fitted on.

Fitting the winner, calibrating it and sealing it belong to `training`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraud_platform.metrics import average_precision
from fraud_platform.training.candidates import CANDIDATES, Candidate
from fraud_platform.training.cross_fitting import Member, blended, out_of_fold
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.ensembles import EnsembleEstimator
from fraud_platform.training.fitting import Parameters
from fraud_platform.training.tuning import SearchBudget, SearchResult, TrialResult, search

Floats = NDArray[np.float64]

BASELINE = "logistic_regression"
# Average precisions this close are a tie: on rows with some hundreds of frauds, such differences are luck.
TIE_TOLERANCE = 0.005
# An ensemble is no further luck: it steadies its members, and is seldom below the better of two near-equals. On the
# public file it is above both in two of three pairings, and by 0.002 above the one that simplicity would choose.
ENSEMBLE_GAIN = 0.0
# After the search, candidates this far behind are not worth fitting on more rows.
FINAL_MARGIN = 0.02
_SMALLEST_ENSEMBLE = 2


@dataclass(frozen=True)
class Contender:
    """A model that could be made, and what it says of rows it has not seen.

    Attributes:
        name: the candidate family, or "ensemble".
        simplicity: 0 the simplest; of equally good ones the simplest is chosen.
        members: what is fitted for it; several in an ensemble.
        search: how its parameters were found; None for an ensemble, whose members were searched.
        out_of_fold: uncalibrated probability of each training and validation row, [n]; empty where it fell too far
            behind in the search to be tried on all rows.
        average_precision: of `out_of_fold`; nan without.
        seconds: search and cross-fitting together; an ensemble takes none of its own.
    """

    name: str
    simplicity: int
    members: tuple[Member, ...]
    search: SearchResult | None
    out_of_fold: Floats
    average_precision: float
    seconds: float

    @property
    def is_finalist(self) -> bool:
        """Whether it was tried on all rows."""
        return self.out_of_fold.size > 0


@dataclass(frozen=True)
class Contest:
    """Every contender in the order given, the ensemble last, who won, and what logistic regression reaches."""

    contenders: tuple[Contender, ...]
    winner: Contender
    baseline_average_precision: float


def hold_contest(
    train: LabelledRows,
    development: LabelledRows,
    *,
    candidates: Sequence[Candidate],
    budget: SearchBudget,
    seed: int,
    known_points: Mapping[str, Sequence[Parameters]],
    report: Callable[[str], None],
) -> Contest:
    """The contender with the highest out-of-fold average precision; of those within 0.005 the simplest.

    Parameters are searched on `train` only. What is within 0.02 of the best there is fitted across `development`, and
    logistic regression always is: nobody wins who does not beat it. The boosted families together make an ensemble,
    which wins where it is above every one of the others.

    Args:
        train: the training rows.
        development: training and validation rows.
        candidates: families to try, at least one.
        budget: of each family's search.
        seed: of every random choice.
        known_points: by family, what earlier searches found, best first.
        report: called with one line of text after each trial and each contender.
    """
    families = list(candidates)
    if BASELINE not in [family.name for family in families]:
        families.insert(0, CANDIDATES[BASELINE])
    searched = [_search(family, train, budget, seed, known_points.get(family.name, ()), report) for family in families]
    best = max(found.average_precision for _, found, _ in searched)
    contenders = []
    for family, found, seconds in searched:
        is_final = family.name == BASELINE or found.average_precision >= best - FINAL_MARGIN
        contenders.append(_contend(family, found, development, seed, seconds, report if is_final else None))
    baseline = next(each for each in contenders if each.name == BASELINE)
    if BASELINE not in [family.name for family in candidates]:
        contenders.remove(baseline)
    finalists = [each for each in contenders if each.is_finalist]
    winner = _best_of(finalists or [baseline])
    ensemble = _ensemble(finalists, development, report)
    if ensemble is not None:
        contenders.append(ensemble)
        strongest = max(each.average_precision for each in finalists)
        winner = ensemble if ensemble.average_precision > strongest + ENSEMBLE_GAIN else winner
    report(f"{winner.name} chosen")
    return Contest(tuple(contenders), winner, baseline.average_precision)


def _search(
    family: Candidate,
    train: LabelledRows,
    budget: SearchBudget,
    seed: int,
    known_points: Sequence[Parameters],
    report: Callable[[str], None],
) -> tuple[Candidate, SearchResult, float]:
    started = time.perf_counter()

    def on_trial(trial: TrialResult) -> None:
        given_up = ", given up" if trial.is_pruned else ""
        report(
            f"{family.name} trial {trial.number + 1}/{max(budget.trials, 1)}: average precision "
            f"{trial.average_precision:.3f} ({trial.seconds:.1f} s{given_up})"
        )

    found = search(family, train, budget=budget, seed=seed, known_points=known_points, on_trial=on_trial)
    return family, found, time.perf_counter() - started


def _contend(
    family: Candidate,
    found: SearchResult,
    development: LabelledRows,
    seed: int,
    seconds: float,
    report: Callable[[str], None] | None,
) -> Contender:
    """The contender; cross-fitted where there is somebody to report to."""
    members = (Member(family, found.params, seed),)
    if report is None:
        return Contender(family.name, family.simplicity, members, found, np.empty(0), float("nan"), seconds)
    started = time.perf_counter()
    answers = out_of_fold(members[0], development, seed=seed)
    reached = average_precision(development.labels, answers, development.weights)
    seconds += time.perf_counter() - started
    report(f"{family.name}: out-of-fold average precision {reached:.3f} ({seconds:.1f} s)")
    return Contender(family.name, family.simplicity, members, found, answers, reached, seconds)


def _ensemble(
    finalists: Sequence[Contender], development: LabelledRows, report: Callable[[str], None]
) -> Contender | None:
    """The boosted families together; None where fewer than two are finalists.

    Their answers are there already. More seeds of the same families would steady them no further than chance.
    """
    boosted = [each for each in finalists if each.members[0].candidate.stops_early]
    if len(boosted) < _SMALLEST_ENSEMBLE:
        return None
    together = blended([each.out_of_fold for each in boosted])
    reached = average_precision(development.labels, together, development.weights)
    report(f"{EnsembleEstimator.algorithm}: out-of-fold average precision {reached:.3f}")
    members = tuple(member for each in boosted for member in each.members)
    simplicity = max(each.simplicity for each in boosted) + 1
    return Contender(EnsembleEstimator.algorithm, simplicity, members, None, together, reached, 0.0)


def _best_of(contenders: Sequence[Contender]) -> Contender:
    best = max(each.average_precision for each in contenders)
    tied = [each for each in contenders if each.average_precision >= best - TIE_TOLERANCE]
    return min(tied, key=lambda each: each.simplicity)
