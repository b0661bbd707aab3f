"""What the figures of many splits say together: mean, spread and an interval that knows the splits share their rows.

Measuring does not belong here.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quality_contestants import Figures

METRICS = ("average_precision", "f1", "precision", "recall")
CONFIDENCE = 0.95
# Rows to judge on / rows to learn from: 15 / 85.
_TEST_SHARE = 15 / 85


@dataclass(frozen=True)
class Summary:
    """One figure over several splits.

    Attributes:
        mean: over the splits.
        spread: standard deviation between splits; nan for one.
        margin: half the width of the mean's confidence interval; nan for one.
    """

    mean: float
    spread: float
    margin: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        """The summary of one value per split, at least one.

        Splits draw from the same rows, so their values are not independent, and spread / sqrt(n) would promise too
        much: the variance of the mean is taken as spread^2 * (1 / n + test rows / training rows).

        Source: Nadeau and Bengio (2003), "Inference for the generalization error".
        """
        from scipy.stats import t

        count = len(values)
        if count == 1:
            return cls(values[0], math.nan, math.nan)
        spread = statistics.stdev(values)
        quantile = float(t.ppf((1 + CONFIDENCE) / 2, count - 1))
        return cls(statistics.fmean(values), spread, quantile * spread * math.sqrt(1 / count + _TEST_SHARE))

    def __str__(self) -> str:
        if math.isnan(self.spread):
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} ± {self.margin:.3f} (sd {self.spread:.3f})"


def print_summary(title: str, figures: Mapping[str, Sequence[Figures]]) -> None:
    """A Markdown table: every contestant over the splits it was measured on."""
    print(f"\n## {title}\n\n| model | splits | average precision | F1 | precision | recall | s |")
    print("|---|--:|---|---|---|---|--:|")
    for name, measured in figures.items():
        cells = [str(Summary.of([getattr(each, metric) for each in measured])) for metric in METRICS]
        seconds = statistics.fmean(each.seconds for each in measured)
        shown = "" if math.isnan(seconds) else f"{seconds:.0f}"
        print(f"| {name} | {len(measured)} | {' | '.join(cells)} | {shown} |")


def print_differences(title: str, pairs: Mapping[str, Sequence[tuple[Figures, Figures]]]) -> None:
    """A Markdown table: the released model minus each other one, split by split."""
    print(f"\n## {title}\n\n| released model minus | splits | average precision | F1 |\n|---|--:|---|---|")
    for name, both in pairs.items():
        cells = []
        for metric in ("average_precision", "f1"):
            difference = Summary.of([getattr(ours, metric) - getattr(theirs, metric) for ours, theirs in both])
            interval = "" if math.isnan(difference.margin) else f" ± {difference.margin:.3f}"
            cells.append(f"{difference.mean:+.3f}{interval}")
        print(f"| {name} | {len(both)} | {' | '.join(cells)} |")
