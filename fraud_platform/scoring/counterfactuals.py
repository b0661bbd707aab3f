"""What would have changed a decision: the smallest change of a transaction that the model decides otherwise about.

A statement about the model, never advice: nothing says that the change is possible, or that it would make the
transaction any less or more of a fraud. Why the decision is what it is belongs to `explanations`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fraud_platform.features.profile import Profile
from fraud_platform.training.slices import HOURS_PER_DAY

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

Floats = NDArray[np.float64]

# What stands behind several features changes all of them: an amount its logarithm, an hour its place on a circle.
_AMOUNT, _HOUR = "Amount", "Hour"
_FEATURES_OF: Mapping[str, tuple[str, ...]] = {
    _AMOUNT: ("Amount", "log1p_Amount"),
    _HOUR: ("Hour_sin", "Hour_cos"),
}
# Where a transaction was not alerted, values are tried that some of the training rows had: all but two in a thousand.
_TRIED_SHARES = (0.001, 0.999)
_STEPS = 64
_BISECTIONS = 24
# Of thirty quantities, four thousand sets of three: one call of the model. Larger sets are found by adding to those.
_EXHAUSTIVE_SIZE = 3
# Digits that nobody needs are left out where that moves the value by less than one part in fifty.
_DIGITS = (2, 3, 4, 5, 6, 9)
_ROUNDING = 1.02


@dataclass(frozen=True)
class Change:
    """One quantity with another value.

    Attributes:
        quantity: a feature, or `Amount` or `Hour`, behind which two features stand.
        was: the transaction's own value.
        becomes: the other one; the decision was computed with exactly this.
    """

    quantity: str
    was: float
    becomes: float


@dataclass(frozen=True)
class Counterfactual:
    """The smallest change found that turns the decision, everything else as it was.

    Attributes:
        changes: what changes; empty where nothing that was tried turns the decision.
        probability: what the model gives for the changed transaction; nan without a change.
        tried: how many quantities were tried.
    """

    changes: tuple[Change, ...]
    probability: float
    tried: int


class _Path(NamedTuple):
    """A quantity on its way from the transaction's value to another, which is tried in steps."""

    quantity: str
    start: float
    end: float

    def at(self, share: float) -> float:
        """The value at this share of the way; an amount goes by its logarithm, an hour round the clock."""
        if self.quantity == _AMOUNT:
            first, last = np.log1p(self.start), np.log1p(self.end)
            return float(np.expm1(first + share * (last - first)))
        value = self.start + share * (self.end - self.start)
        return value % HOURS_PER_DAY if self.quantity == _HOUR else value


# Quantities that go their ways at once.
_Way = tuple[_Path, ...]


def find_counterfactual(features: NDArray[np.float32], bundle: "ModelBundle", *, is_alert: bool) -> Counterfactual:
    """The nearest change of one quantity that turns the decision; else of the fewest quantities that do together.

    Of an alert, quantities go towards what is typical of the training rows, their median. Where there was none, they
    go towards either end of what training rows had. Nearness is counted in standard deviations of the training rows.

    One quantity is searched in steps and then by halving; sets of two and three are tried completely, with each
    quantity at the end of its way that helps most; larger sets grow by the quantity that helps most.

    Args:
        features: the transaction, [1, k], columns in the order of the bundle's.
        bundle: the model that decided.
        is_alert: what was decided.

    Raises:
        DataError: the bundle's baseline lacks one of its features.
    """
    search = _Search(features, bundle, is_alert)
    paths = search.paths()
    tried = len({path.quantity for path in paths})
    found = search.nearest([(path,) for path in paths])
    if found is None:
        # On the way of several quantities at once, too, the nearest point may lie before the end.
        fewest = search.fewest(search.best_ends(paths))
        found = search.nearest([fewest]) if fewest else None
    if found is None:
        return Counterfactual((), float("nan"), tried)
    changes = tuple(Change(name, search.value_of(name), value) for name, value in found.items())
    return Counterfactual(changes, float(search.probabilities([found])[0]), tried)


class _Search:
    """The transaction, the model, and what it says of changed copies of the transaction."""

    def __init__(self, features: NDArray[np.float32], bundle: "ModelBundle", is_alert: bool) -> None:
        self.row, self.bundle, self.is_alert = features[0], bundle, is_alert
        self.position = {name: place for place, name in enumerate(bundle.feature_names)}
        self.baseline: Profile = bundle.baseline.select(bundle.feature_names)
        grouped = {name for names in _FEATURES_OF.values() for name in names}
        whole = [name for name, names in _FEATURES_OF.items() if all(each in self.position for each in names)]
        self.quantities = [name for name in bundle.feature_names if name not in grouped] + whole

    def value_of(self, quantity: str) -> float:
        """What the transaction has."""
        if quantity == _HOUR:
            return _hour_at(*(float(self.row[self.position[name]]) for name in _FEATURES_OF[_HOUR]))
        return float(self.row[self.position[quantity]])

    def paths(self) -> list[_Path]:
        """Every way that is tried."""
        found = []
        for quantity in self.quantities:
            value = self.value_of(quantity)
            found += [_Path(quantity, value, end) for end in self._ends(quantity, value) if end != value]
        return found

    def _ends(self, quantity: str, value: float) -> list[float]:
        if quantity == _HOUR:
            half = HOURS_PER_DAY / 2
            if not self.is_alert:
                return [value - half, value + half]
            typical = _hour_at(*(self.baseline.columns[name].mean for name in _FEATURES_OF[_HOUR]))
            # The shorter way round the clock.
            return [value + (typical - value + half) % HOURS_PER_DAY - half]
        column = self.baseline.columns[quantity]
        if self.is_alert:
            return [column.quantile(0.5)]
        low, high = map(column.quantile, _TRIED_SHARES)
        return [low, high] if low < value < high else [low if value >= high else high]

    def probabilities(self, changed: Sequence[Mapping[str, float]]) -> Floats:
        """What the model gives for copies of the transaction, each with these quantities changed, [n]."""
        rows = np.repeat(self.row[np.newaxis, :], len(changed), axis=0)
        for row, values in zip(rows, changed, strict=True):
            for quantity, value in values.items():
                for name, number in _columns(quantity, value).items():
                    row[self.position[name]] = number
        return self.bundle.predict(rows)

    def is_turned(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Which of these the model decides otherwise about."""
        return (probabilities >= self.bundle.threshold.value) != self.is_alert

    def distance(self, values: Mapping[str, float]) -> float:
        """How far the changed quantities are from the transaction's own, in standard deviations, summed up."""
        total = 0.0
        for quantity, value in values.items():
            moved = (
                abs(float(number) - float(self.row[self.position[name]]))
                / (self.baseline.columns[name].standard_deviation or 1.0)
                for name, number in _columns(quantity, value).items()
            )
            total += max(moved)
        return total

    def nearest(self, ways: Sequence[_Way]) -> dict[str, float] | None:
        """The nearest change on any of the ways that turns the decision; None where none does."""
        if not ways:
            return None
        shares = np.arange(1, _STEPS + 1) / _STEPS
        given = self.probabilities([_at(way, share) for way in ways for share in shares])
        is_turned = self.is_turned(given).reshape(len(ways), _STEPS)
        turning = np.flatnonzero(is_turned.any(axis=1)).tolist()
        if not turning:
            return None
        chosen = [ways[place] for place in turning]
        high = shares[is_turned[turning].argmax(axis=1)]
        low = high - 1 / _STEPS
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            is_enough = self.is_turned(self.probabilities(list(map(_at, chosen, middle))))
            high, low = np.where(is_enough, middle, high), np.where(is_enough, low, middle)
        return self._rounded(min(map(_at, chosen, high), key=self.distance))

    def best_ends(self, paths: Sequence[_Path]) -> dict[str, _Path]:
        """Of each quantity the path whose end helps most, the most helpful first."""
        best: dict[str, _Path] = {}
        if paths:
            given = self.probabilities([_at((path,), 1.0) for path in paths])
            for place in np.argsort(given if self.is_alert else -given, kind="stable"):
                best.setdefault(paths[place].quantity, paths[place])
        return best

    def fewest(self, paths: Mapping[str, _Path]) -> _Way:
        """The smallest set of quantities that turns the decision with all of them at their ends; empty without one."""
        best: _Way = ()
        for size in range(2, len(paths) + 1):
            if size <= _EXHAUSTIVE_SIZE:
                ways = list(itertools.combinations(paths.values(), size))
            else:
                ways = [(*best, path) for path in paths.values() if path not in best]
            changed = [_at(way, 1.0) for way in ways]
            given = self.probabilities(changed)
            turned = np.flatnonzero(self.is_turned(given)).tolist()
            if turned:
                return ways[min(turned, key=lambda place: self.distance(changed[place]))]
            best = ways[int(given.argmin() if self.is_alert else given.argmax())]
        return ()

    def _rounded(self, change: Mapping[str, float]) -> dict[str, float]:
        """The change in the fewest digits with which the model still decides otherwise, hardly any further away."""
        candidates = [{name: float(f"{value:.{digits}g}") for name, value in change.items()} for digits in _DIGITS]
        allowed = self.distance(change) * _ROUNDING
        is_turned = self.is_turned(self.probabilities(candidates))
        short = (each for each, turned in zip(candidates, is_turned, strict=True) if turned)
        return next((each for each in short if self.distance(each) <= allowed), dict(change))


def _at(way: _Way, share: float) -> dict[str, float]:
    return {path.quantity: path.at(share) for path in way}


def _hour_at(sine: float, cosine: float) -> float:
    # Features are single precision: what they do not know is no hour of its own.
    return round(float(np.arctan2(sine, cosine)) * HOURS_PER_DAY / (2 * np.pi), 5) % HOURS_PER_DAY


def _columns(quantity: str, value: float) -> dict[str, np.float32]:
    """The features behind a quantity, as `build_features` computes them from it."""
    if quantity == _AMOUNT:
        return {"Amount": np.float32(value), "log1p_Amount": np.float32(np.log1p(value))}
    if quantity == _HOUR:
        angle = value * (2 * np.pi / HOURS_PER_DAY)
        return {"Hour_sin": np.float32(np.sin(angle)), "Hour_cos": np.float32(np.cos(angle))}
    return {quantity: np.float32(value)}
