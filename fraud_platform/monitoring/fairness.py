"""Whether the decisions treat some transactions otherwise than others: alerts and errors by band, with intervals.

Which days are looked at, and the page around this section, belong to whoever reports. Counting belongs to
`band_counts`.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from fraud_platform.monitoring.band_counts import BandCounts, DecisionCounts
from fraud_platform.training.evaluation import Interval
from fraud_platform.training.slices import MINIMUM_FRAUDS, wilson_interval

RATES = ("alert_rate", "false_positive_rate", "false_negative_rate")
_MEANINGS: Mapping[str, str] = {
    "alert_rate": "alerts among all transactions",
    "false_positive_rate": "alerts among the legitimate",
    "false_negative_rate": "frauds that were not alerted",
}

BLIND_SPOTS = (
    "The features are anonymised: no age, sex, origin, residence, income or disability is among them, nor anything "
    "that says who a card holder is. **Whether persons of a protected group are treated otherwise cannot be seen here, "
    "and a report without findings does not show that they are not.** Any of `V1` to `V28` may stand for such an "
    "attribute.",
    "Amounts and hours are the only bands that mean something to people. They may stand for persons (small amounts "
    "for the young, nights for shift workers) or for nothing.",
    "A band that stands out need not be treated unjustly: fraud itself is not spread evenly over amounts and hours. "
    "Differences in alert rates ask for a reason; differences in error rates ask for one more urgently.",
    "Error rates know only frauds that were labelled. Where labels come back for alerts alone, no missed fraud is ever "
    "seen and false-negative rates are too low: read the labelled share beside them.",
    "To examine protected groups, the bank must join decisions and its own customer data by `transaction_id`, outside "
    "the platform, with a basis in law for doing so.",
)


@dataclass(frozen=True)
class BandRates:
    """One band beside all other transactions.

    Attributes:
        counts: of the band.
        rates: each of `RATES` in the band; unknown where there are too few transactions to count among.
        differences: rate of the band minus that of all others, with an interval that holds for all comparisons of the
            audit at once; unknown where either rate is.
    """

    counts: BandCounts
    rates: Mapping[str, Interval]
    differences: Mapping[str, Interval]

    @property
    def outstanding(self) -> tuple[str, ...]:
        """Rates that differ from those of all others by more than chance explains."""
        return tuple(rate for rate in RATES if self.differences[rate].low > 0 or self.differences[rate].high < 0)


@dataclass(frozen=True)
class FairnessAudit:
    """Alerts and errors by band.

    Attributes:
        first_day, last_day: of the transactions; None without any.
        bands: every band of amount, then of hour.
        total: counts of all transactions.
        confidence: of each interval of a rate, and of all differences together.
    """

    first_day: date | None
    last_day: date | None
    bands: tuple[BandRates, ...]
    total: BandCounts
    confidence: float

    @property
    def findings(self) -> tuple[str, ...]:
        """One sentence for each rate of a band that stands out."""
        return tuple(
            f"{band.counts.name}: {_words(rate)} {_percent(band.rates[rate].value)}, {_beside(band.differences[rate])}"
            for rate in RATES
            for band in self.bands
            if rate in band.outstanding
        )

    def as_markdown(self, heading: str = "## Fairness and bias") -> str:
        """The audit as a section of a report: figures, findings, and what they cannot show."""
        total, period = self.total, f"{self.first_day} to {self.last_day}" if self.first_day else "no day"
        labelled = total.frauds + total.legitimate
        share = labelled / total.transactions if total.transactions else 0.0
        return "\n".join(
            (
                heading,
                "",
                f"{total.transactions:,} decisions of {period}, {total.alerts:,} alerts; mature labels of {labelled:,} "
                f"({share:.1%}), {total.frauds:,} frauds among them. Intervals hold {self.confidence:.0%} of the time; "
                f"error rates are told from {MINIMUM_FRAUDS} cases on.",
                "",
                "| band | decided | alert rate | false-positive rate | false-negative rate | labelled | frauds |",
                "|---|--:|---|---|---|--:|--:|",
                *(_row(band.counts.name, band.counts, band.rates, band.outstanding) for band in self.bands),
                _row("all", total, {rate: _rate(total, rate, self.confidence) for rate in RATES}),
                "",
                *(f"- {_words(rate)}: {meaning}" for rate, meaning in _MEANINGS.items()),
                "",
                *self._findings_markdown(),
                "",
                "What this cannot show:",
                "",
                *(f"- {each}" for each in BLIND_SPOTS),
                "",
            )
        )

    def _findings_markdown(self) -> list[str]:
        if not self.findings:
            return [f"No band differs from all others by more than chance explains ({self._judged})."]
        return [f"Bands that differ from all others by more than chance explains ({self._judged}), marked *:", ""] + [
            f"- {finding}" for finding in self.findings
        ]

    @property
    def _judged(self) -> str:
        return f"{len(self.bands) * len(RATES)} comparisons, {self.confidence:.0%} for all of them together"


def audit_fairness(decisions: pd.DataFrame, labels: pd.DataFrame, *, confidence: float = 0.95) -> FairnessAudit:
    """Alert rates and error rates of some decisions, by band of amount and hour.

    Args:
        decisions: `transaction_id` (unique), `event_time`, `prediction` and `Amount`, of one day or several.
        labels: `transaction_id`, `Class`, only mature ones; of repeated ids the last row counts.
        confidence: in (0, 1), two-sided.

    Raises:
        DataError: a transaction was decided twice.
    """
    return audit_counts(DecisionCounts.of(decisions, labels), confidence=confidence)


def audit_counts(counts: DecisionCounts, *, confidence: float = 0.95) -> FairnessAudit:
    """The same of decisions that were counted, such as days added up to a quarter that memory would not hold.

    Args:
        counts: of the decisions.
        confidence: in (0, 1), two-sided: of each rate, and of all differences together (Bonferroni).
    """
    for_each = 1 - (1 - confidence) / (len(counts.bands) * len(RATES))
    bands = []
    for band in counts.bands:
        others = counts.total.plus(band, sign=-1)
        rates = {rate: _rate(band, rate, confidence) for rate in RATES}
        differences = {rate: _difference(_rate(band, rate, for_each), _rate(others, rate, for_each)) for rate in RATES}
        bands.append(BandRates(band, rates, differences))
    return FairnessAudit(counts.first_day, counts.last_day, tuple(bands), counts.total, confidence)


def period_markdown(counts: DecisionCounts | None) -> str:
    """The audit of a period as a section of its report; without a decision that counts, that there is none."""
    if counts is not None:
        return audit_counts(counts).as_markdown()
    return (
        "## Fairness and bias\n\nNot applicable: no decision of the period can be counted, because its transactions "
        "are no longer stored or it was made in hindsight.\n"
    )


def _rate(counts: BandCounts, rate: str, confidence: float) -> Interval:
    hits, trials = {
        "alert_rate": (counts.alerts, counts.transactions),
        "false_positive_rate": (counts.false_alerts, counts.legitimate),
        "false_negative_rate": (counts.missed, counts.frauds),
    }[rate]
    # Of fewer, any share is possible by chance.
    return wilson_interval(hits, trials, confidence) if trials >= MINIMUM_FRAUDS else Interval.unknown()


def _difference(first: Interval, second: Interval) -> Interval:
    """First minus second of two independent shares with Wilson's intervals; unknown where either is.

    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
    """
    value = first.value - second.value
    low = math.hypot(first.value - first.low, second.high - second.value)
    high = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, value - low, value + high)


def _row(name: str, counts: BandCounts, rates: Mapping[str, Interval], marked: Collection[str] = ()) -> str:
    shown = [_shown(rates[rate]) + (" *" if rate in marked else "") for rate in RATES]
    cells = (name, f"{counts.transactions:,}", *shown, f"{counts.frauds + counts.legitimate:,}", f"{counts.frauds:,}")
    return f"| {' | '.join(cells)} |"


def _shown(interval: Interval) -> str:
    if not math.isfinite(interval.value):
        return "too few"
    return f"{_percent(interval.value)} ({_percent(interval.low)[:-1]} to {_percent(interval.high)[:-1]})"


def _beside(difference: Interval) -> str:
    side = "above" if difference.value > 0 else "below"
    near, far = sorted((abs(difference.low), abs(difference.high)))
    return (
        f"{100 * abs(difference.value):.2f} percentage points {side} all others ({100 * near:.2f} to {100 * far:.2f})"
    )


def _percent(share: float) -> str:
    return f"{share:.3%}" if abs(share) < 0.1 else f"{share:.1%}"  # noqa: PLR2004 - rare things need digits


def _words(rate: str) -> str:
    return {"alert_rate": "alert rate"}.get(rate, rate.replace("_", "-", 1).replace("_", " "))
