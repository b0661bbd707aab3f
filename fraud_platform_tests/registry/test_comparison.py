"""Champion and candidate on the same rows: noise is never released, a better model is."""

from dataclasses import replace

import numpy as np
import pytest

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.registry.comparison import ChampionComparison, compare
from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.release import decide_release
from fraud_platform.training.bundle import ModelBundle
from fraud_platform.training.dataset import LabelledRows
from fraud_platform_tests.registry.registration import march, register
from fraud_platform_tests.scoring.models import Line, bundle_of
from fraud_platform_tests.training.labelled_rows import make_rows


def line(*weights: float) -> ModelBundle:
    """A model that adds up the first features so weighted."""
    every = np.zeros(len(FEATURE_NAMES))
    every[: len(weights)] = weights
    return replace(bundle_of(Line(weights=every)), provenance={"as_of": "2026-03-08"})


def rows(seed: int) -> LabelledRows:
    """The first features tell 60 frauds among 6,000 apart, the fourth tells nothing."""
    return make_rows(6_000, 60, seed)


def compared(candidate: ModelBundle, judging: LabelledRows) -> ChampionComparison:
    champion = register(MemoryRegistry(), "champion", as_of=march(1))
    return compare((champion, line(1, 1, 0)), candidate, judging, seed=0)


def test_the_champion_with_noise_added_is_never_released():
    gains = []
    for seed in range(20):
        comparison = compared(line(1, 1, 0, 0.2), rows(seed))
        decision = decide_release((), comparison, "schedule", min_f1_improvement=0.02)
        gains.append(comparison.candidate_f1 - comparison.champion_f1)
        assert decision.action == "kept", (seed, decision.reasons)
    # By chance some gain enough; a rule that looks at the gain alone would have released them.
    assert max(gains) >= 0.02


def test_a_candidate_that_knows_more_is_released():
    comparison = compared(line(1, 1, 1), rows(0))
    assert decide_release((), comparison, "schedule", min_f1_improvement=0.02).action == "released"
    assert comparison.f1_difference.value == pytest.approx(comparison.candidate_f1 - comparison.champion_f1)


def test_a_comparison_is_weighted_as_the_rows_are():
    champion = register(MemoryRegistry(), "champion")
    bundles, judging = (line(1, 1, 0), line(1, 1, 1)), rows(0)
    many = judging.take(np.repeat(np.arange(judging.row_count), np.where(judging.labels == 1, 1, 5)))
    weighted = compare((champion, bundles[0]), bundles[1], judging, seed=0, legitimate_weight=5)
    repeated = compare((champion, bundles[0]), bundles[1], many, seed=0)
    assert weighted.champion_f1 == pytest.approx(repeated.champion_f1)
    assert weighted.candidate_f1 == pytest.approx(repeated.candidate_f1)
    for name in ("average_precision_difference", "f1_difference"):
        assert getattr(weighted, name).value == pytest.approx(getattr(repeated, name).value), name
