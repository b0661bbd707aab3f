"""Bootstrap samples of a ranking at the cost of its frauds alone: groups of rows that every metric sees alike.

What the sampled figures are called, and what they decide, does not belong here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraud_platform.metrics import ratio

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class GroupCounts:
    """How many transactions of each group a sample holds; groups from the most suspicious down.

    Attributes:
        frauds: [samples, groups].
        legitimate: [samples, groups], in transactions: rows times what each stands for.
        alerted_groups: how many leading groups lie at or above the decision threshold.
    """

    frauds: Integers
    legitimate: Floats
    alerted_groups: int

    def average_precision(self) -> Floats:
        """Average precision of each sample, [samples]."""
        positives, alerts = self._reached()
        return ratio((self.frauds * _or_zero(ratio(positives, alerts))).sum(axis=1), positives[:, -1])

    def roc_auc(self) -> Floats:
        """Area under the ROC curve of each sample, [samples]."""
        total = self.legitimate.sum(axis=1, keepdims=True)
        below = total - np.cumsum(self.legitimate, axis=1)
        won = (self.frauds * (below + self.legitimate / 2)).sum(axis=1)
        return ratio(won, self.frauds.sum(axis=1) * total[:, 0])

    def precision(self) -> Floats:
        """Precision of each sample at the decision threshold, [samples]."""
        true_positives, false_positives, _ = self._decided()
        return ratio(true_positives, true_positives + false_positives)

    def recall(self) -> Floats:
        """Recall of each sample at the decision threshold, [samples]."""
        true_positives, _, fraud_total = self._decided()
        return ratio(true_positives, fraud_total)

    def f1(self) -> Floats:
        """F1 of each sample at the decision threshold, [samples]."""
        true_positives, false_positives, fraud_total = self._decided()
        return ratio(2 * true_positives, true_positives + false_positives + fraud_total)

    def precision_at_k(self, k: int) -> Floats:
        """Precision among the `k` most suspicious transactions of each sample, ties in expectation, [samples]."""
        positives, alerts = self._reached()
        reach = np.minimum(k, alerts[:, -1])
        # The group in which the k-th place falls, and how much of it still fits.
        group = (alerts < reach[:, np.newaxis]).sum(axis=1)
        sample = np.arange(group.size)
        size = self.frauds[sample, group] + self.legitimate[sample, group]
        left_over = (alerts[sample, group] - reach) / size
        return ratio(positives[sample, group] - left_over * self.frauds[sample, group], reach)

    def recall_at_false_positive_rate(self, rate: float) -> Floats:
        """Most recall of each sample at a threshold that alerts at most `rate` of the legitimate, [samples]."""
        false_positives = np.cumsum(self.legitimate, axis=1)
        # Weighted sums round; a rate of exactly the limit is within it.
        is_within = false_positives <= rate * false_positives[:, -1:] * (1 + 1e-12)
        return ratio(np.where(is_within, self.frauds, 0).sum(axis=1), self.frauds.sum(axis=1))

    def _reached(self) -> tuple[Integers, Floats]:
        positives = np.cumsum(self.frauds, axis=1)
        return positives, np.cumsum(self.legitimate + self.frauds, axis=1)

    def _decided(self) -> tuple[Integers, Floats, Integers]:
        alerted = slice(self.alerted_groups)
        return (
            self.frauds[:, alerted].sum(axis=1),
            self.legitimate[:, alerted].sum(axis=1),
            self.frauds.sum(axis=1),
        )


@dataclass(frozen=True)
class RankingGroups:
    """Rows gathered into runs of the ranking within which every ranking metric sees them alike.

    A group is one distinct score that a fraud has, or the legitimate rows between two such scores, or between one
    and the decision threshold.

    Attributes:
        group_of_row: 0 is the most suspicious, [n].
        group_count: how many groups there are, empty ones included.
        alerted_groups: how many leading groups lie at or above the decision threshold.
    """

    group_of_row: Integers
    group_count: int
    alerted_groups: int

    @classmethod
    def of(cls, scores: Floats, is_fraud: NDArray[np.bool_], threshold: float | None) -> "RankingGroups":
        """The groups of `scores` [n]; without a threshold every group is alerted."""
        fraud_scores = np.unique(scores[is_fraud])
        # A fraud's score opens a group, and the next float opens the group above it.
        edges = np.union1d(fraud_scores, np.nextafter(fraud_scores, np.inf))
        if threshold is not None:
            edges = np.union1d(edges, [threshold])
        group_of_row = edges.size - np.searchsorted(edges, scores, side="right")
        alerted = edges.size + 1 if threshold is None else edges.size - int(np.searchsorted(edges, threshold))
        return cls(group_of_row.astype(np.int64), edges.size + 1, alerted)


def sample_jointly(
    rankings: tuple[RankingGroups, ...],
    is_fraud: NDArray[np.bool_],
    *,
    samples: int,
    generator: np.random.Generator,
    legitimate_weight: float = 1.0,
) -> tuple[GroupCounts, ...]:
    """Stratified bootstrap samples of the same rows as each ranking sees them; sample 0 is the rows themselves.

    A sample draws as many frauds and as many legitimate rows, with replacement, as there are. Rows that share a
    group in every ranking are alike, so a sample draws how many of each such kind it holds (multinomial) rather than
    which: the same distribution, without touching the rows.

    Args:
        rankings: one per model, over the same rows.
        is_fraud: bool [n], with at least one row of each class.
        samples: how many samples to draw.
        generator: source of randomness.
        legitimate_weight: how many transactions each legitimate row stands for; it changes what rows count as, not
            how many are drawn.

    Returns:
        One GroupCounts of [samples + 1, groups] per ranking.
    """
    kind = np.zeros(is_fraud.size, np.int64)
    for ranking in rankings:
        kind = kind * ranking.group_count + ranking.group_of_row
    counts: list[list[Integers]] = []
    for chosen in (is_fraud, ~is_fraud):
        _, first_rows, sizes = np.unique(kind[chosen], return_index=True, return_counts=True)
        total = int(sizes.sum())
        drawn = np.vstack([sizes, generator.multinomial(total, sizes / total, size=samples)])
        rows = np.flatnonzero(chosen)[first_rows]
        counts.append([_gathered(drawn, ranking.group_of_row[rows], ranking.group_count) for ranking in rankings])
    return tuple(
        GroupCounts(frauds, legitimate * legitimate_weight, ranking.alerted_groups)
        for frauds, legitimate, ranking in zip(*counts, rankings, strict=True)
    )


def sampled_sums(
    columns: Floats, is_fraud: NDArray[np.bool_], *, samples: int, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Column sums over the frauds and over the legitimate rows of stratified bootstrap samples.

    Args:
        columns: [n, m].
        is_fraud: bool [n], with at least one row of each class.
        samples: how many samples to draw.
        generator: source of randomness.

    Returns:
        Sums over frauds and over legitimate rows, [samples + 1, m] each; sample 0 is the rows themselves.
    """
    frauds, legitimate = (_sampled_sums(columns[chosen], samples, generator) for chosen in (is_fraud, ~is_fraud))
    return frauds, legitimate


def _sampled_sums(columns: Floats, samples: int, generator: np.random.Generator) -> Floats:
    sums = np.empty((samples + 1, columns.shape[1]))
    sums[0] = columns.sum(axis=0)
    rows = columns.shape[0]
    # A column's values side by side in memory, so that its sum reads one run of it: ten times faster.
    side_by_side = np.ascontiguousarray(columns.T)
    # One sample at a time: all of them at once would hold samples x n indices.
    for sample in range(1, samples + 1):
        drawn = np.bincount(generator.integers(0, rows, rows), minlength=rows)
        sums[sample] = side_by_side @ drawn.astype(np.float64)
    return sums


def _gathered(drawn: Integers, group_of_kind: Integers, group_count: int) -> Integers:
    """Sums the columns of `drawn` [samples, kinds] by group, [samples, groups]."""
    gathered = np.zeros((group_count, drawn.shape[0]), np.int64)
    np.add.at(gathered, group_of_kind, drawn.T)
    return gathered.T


def _or_zero(values: Floats) -> Floats:
    return np.nan_to_num(values, nan=0.0)
