"""Whether a candidate becomes champion: acceptance gates first, then the comparison with who is champion now.

Judging the gates does not belong here (`gates`), nor does measuring (`comparison`), nor carrying the decision out
(`releasing`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fraud_platform.registry.comparison import ChampionComparison
from fraud_platform.registry.gates import GateResult
from fraud_platform.training.evaluation import Interval

Action = Literal["released", "rejected", "kept"]

# What a candidate trained because of drift may lose in average precision, at worst, on the rows both were measured on:
# a champion whose baseline no longer describes the data has to go, and so few frauds seldom prove a gain.
NON_INFERIORITY_MARGIN = 0.05

DRIFT = "drift"


@dataclass(frozen=True)
class ReleaseDecision:
    """What to do with a candidate and why.

    Attributes:
        action: released (it becomes champion), rejected (it failed a gate) or kept (the champion stays).
        reasons: sentences, the deciding one first.
        cause: why the candidate was trained.
        gates: every gate's answer.
        comparison: the candidate beside the champion; None without a champion.
    """

    action: Action
    reasons: tuple[str, ...]
    cause: str
    gates: tuple[GateResult, ...]
    comparison: ChampionComparison | None

    def as_dict(self) -> dict[str, Any]:
        """The decision as a JSON document."""
        return {
            "action": self.action,
            "reasons": list(self.reasons),
            "cause": self.cause,
            "gates": [gate.as_dict() for gate in self.gates],
            "comparison": self.comparison.as_dict() if self.comparison else None,
        }


def decide_release(
    candidate_gates: Sequence[GateResult],
    comparison: ChampionComparison | None,
    cause: str,
    *,
    min_f1_improvement: float,
    non_inferiority_margin: float = NON_INFERIORITY_MARGIN,
) -> ReleaseDecision:
    """What to do with a candidate.

    Decision rule, first match: a failed gate rejects; without a champion it is released; a candidate that knows less
    than the champion (an earlier as-of day) leaves the champion; it is released where its F1 is `min_f1_improvement`
    above the champion's and above it with confidence, or where its average precision is above the champion's with
    confidence, for a gain that may be chance is noise, however large; where drift is the
    cause, not being worse suffices: an F1 no lower, or an average precision that is with confidence less than
    `non_inferiority_margin` below; else the champion stays.

    Args:
        candidate_gates: what `judge_gates` answered.
        comparison: both models on the same rows; None without a champion.
        cause: why the candidate was trained; "drift" relaxes the comparison.
        min_f1_improvement: what F1 must gain, absolute.
        non_inferiority_margin: what average precision may lose, absolute.
    """
    gates = tuple(candidate_gates)
    failed = tuple(gate.explanation for gate in gates if not gate.is_passed)
    action: Action
    if failed:
        action, reasons = "rejected", failed
    elif comparison is None:
        action, reasons = "released", ("it passed every gate and there is no champion yet",)
    elif comparison.candidate_as_of < comparison.champion_as_of:
        action = "kept"
        reasons = (
            f"the champion (version {comparison.champion_version}) knows everything up to {comparison.champion_as_of}, "
            f"the candidate only up to {comparison.candidate_as_of}",
        )
    else:
        action, reasons = _decide_against_champion(
            comparison, cause == DRIFT, min_f1_improvement, non_inferiority_margin
        )
    return ReleaseDecision(action, reasons, cause, gates, comparison)


def _decide_against_champion(
    comparison: ChampionComparison, is_drift: bool, min_f1_improvement: float, non_inferiority_margin: float
) -> tuple[Action, tuple[str, ...]]:
    """The part of the decision rule that compares; see `decide_release`."""
    ranking_difference, f1_difference = comparison.average_precision_difference, comparison.f1_difference
    f1_gain = comparison.candidate_f1 - comparison.champion_f1
    champion = f"the champion (version {comparison.champion_version})"
    f1 = (
        f"F1 is {comparison.candidate_f1:.3f}, {champion} has {comparison.champion_f1:.3f} on the same rows, "
        f"a difference of {_signed(f1_gain, f1_difference)}"
    )
    ranking = f"average precision differs by {_signed(ranking_difference.value, ranking_difference)} from {champion}"
    # F1 is a rounded ratio: a gain of exactly the limit must not fail in the sixteenth digit.
    is_large = f1_gain >= min_f1_improvement - 1e-9
    if is_large and f1_difference.low > 0:
        return "released", (f"{f1}: a gain of at least {min_f1_improvement:.3f}, above 0 with confidence",)
    if ranking_difference.low > 0:
        return "released", (f"{ranking}: above 0 with confidence", f1)
    if is_drift and f1_gain >= 0:
        return "released", (f"{f1}: no worse, which suffices after drift", ranking)
    if is_drift and ranking_difference.low > -non_inferiority_margin:
        loss = f"with confidence less than {non_inferiority_margin:.3f} below, which suffices after drift"
        return "released", (f"{ranking}: {loss}", f1)
    short = "which may be chance" if is_large else f"no gain of {min_f1_improvement:.3f}"
    return "kept", (f"{f1}: {short}", f"{ranking}: not above 0 with confidence")


def _signed(difference: float, interval: Interval) -> str:
    bounds = f"{interval.low:+.3f} to {interval.high:+.3f}" if math.isfinite(interval.low) else "unknown"
    return f"{difference:+.3f} (interval {bounds})"
