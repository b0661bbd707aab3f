"""What does "why" cost? The reasons of a 142,000-row day's alerts, and every row of that day, beside shap's explainer.

- scoring the day with reasons for its alerts / the same without any: the step from stored features to stored
  decisions, and what of it happens in memory;
- every decision of the day explained and written, as `fraud-platform explain --all` does / `shap.TreeExplainer` with
  the same trees and rows in memory. shap explains a part of the day, since its cost grows with the rows: costs are per
  thousand rows;
- the same trees' contributions alone / shap, for each family of trees.

    python benchmarks/explanations.py [REPEATS]
"""

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, cast

from measuring import Cost, alternate, cost_of_call, print_costs, print_ratios, ratios
from temporary_home import ROWS_OF_A_DAY, SEED, land, load_definitions, release_model, temporary_home

if TYPE_CHECKING:
    from fraud_platform.training.estimators import XGBoostEstimator

REASONS, SCORING = "scoring with reasons", "scoring without"
REASONS_LIMIT, SHAP_LIMIT = 1.2, 1.0
SHAP_ROWS = 2_000
# About as many as early stopping keeps.
ROUNDS = 300


def per_thousand(work: Callable[[], object], rows: int) -> Cost:
    """What a thousand of the `rows` cost that `work` explains."""
    cost = cost_of_call(work)
    return Cost(cost.wall_seconds * 1_000 / rows, cost.cpu_seconds * 1_000 / rows)


def explainer_of(trees: Any) -> Callable[[Any], Any]:
    """The explainer of shap for a library's own model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer(trees)

    def explain(matrix: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return explainer.shap_values(matrix, check_additivity=False)

    return explain


def measure_reasons(store: Any, day: date, bundle: Any, repeats: int) -> None:
    """What the reasons of the day's alerts add to scoring it: to the step from stored features to stored decisions."""
    from fraud_platform.day_store import DayStore
    from fraud_platform.scoring.scorer import profile_scores, score_day
    from fraud_platform.training.thresholds import DecisionThreshold

    moment, aside = datetime.now(UTC), DayStore(store.root / "aside")
    features = store.read_table("features", day)
    # The same work, but nothing is alerted.
    silent = replace(bundle, threshold=DecisionThreshold(1.0, bundle.threshold.policy, {}))

    def step(model: Any) -> None:
        decided = score_day(store.read_table("features", day), model, "1", scored_at=moment)
        aside.write_table("daily_predictions", day, decided, {"profile": profile_scores(decided).to_text()})

    def alone(model: Any) -> None:
        score_day(features, model, "1", scored_at=moment)

    alerts = int(score_day(features, bundle, "1", scored_at=moment)["prediction"].sum())
    for title, work in (("features to stored decisions", step), ("in memory alone", alone)):
        peers = {
            name: lambda work=work, model=model: cost_of_call(lambda: work(model))
            for name, model in ((REASONS, bundle), (SCORING, silent))
        }
        costs = alternate(peers, repeats=repeats)
        print_costs(f"{len(features):,} rows scored, {alerts} of them alerts, {title}", costs)
        print_ratios(ratios(costs, REASONS, SCORING, REASONS_LIMIT))


def measure_trees(name: str, estimator: Any, trees: Any, matrix: Any, repeats: int) -> None:
    """The contributions of every row beside shap's of the same trees."""
    explain, part = explainer_of(trees), matrix[:SHAP_ROWS]
    ours, theirs = f"{name}, {estimator.round_count} trees", "shap.TreeExplainer"
    peers = {
        ours: lambda: per_thousand(lambda: estimator.contributions(matrix), len(matrix)),
        theirs: lambda: per_thousand(lambda: explain(part), len(part)),
    }
    show(f"Contributions of {len(matrix):,} rows, {name}", alternate(peers, repeats=repeats), ours, theirs)


def show(title: str, costs: Any, ours: str, theirs: str) -> None:
    """Costs, rates and ratios."""
    print_costs(f"{title}, per thousand rows", costs)
    rates = {name: 1_000 / min(cost.wall_seconds for cost in measured) for name, measured in costs.items()}
    print("\nrows a second at best: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items()))
    print_ratios(ratios(costs, ours, theirs, SHAP_LIMIT))


def fitted(name: str, matrix: Any, labels: Any) -> Any:
    """A model of one candidate family with its starting parameters."""
    from fraud_platform.training.candidates import CANDIDATES
    from fraud_platform.training.estimators import ALL_CORES
    from fraud_platform.training.fitting import FitRows

    candidate = CANDIDATES[name]
    parameters = {**candidate.reference_point, "n_estimators": min(candidate.reference_point["n_estimators"], ROUNDS)}
    return candidate.fit(parameters, FitRows(matrix, labels, None), seed=SEED, threads=ALL_CORES)


def main(repeats: int) -> None:
    """Prepares a home, measures and prints."""
    with temporary_home() as home:
        from upath import UPath

        from fraud_platform.day_store import DayStore
        from fraud_platform.defs import runs
        from fraud_platform.defs.instance import open_instance
        from fraud_platform.registry.champion import model_for_day
        from fraud_platform.registry.mlflow_registry import MlflowRegistry
        from fraud_platform.scoring.explained_day import explain_day, scored_day
        from fraud_platform.settings import load_settings
        from fraud_platform.training.dataset import feature_matrix

        definitions, settings = load_definitions(), load_settings()
        with open_instance() as instance:
            day = release_model(definitions, instance)
            land(day, ROWS_OF_A_DAY)
            runs.run_day(definitions, instance, "daily", day)
        store = DayStore.at(settings.storage_url)
        registry = MlflowRegistry(settings.tracking_url, artifact_url=settings.artifact_url)
        version = model_for_day(registry, day).version
        bundle, features = registry.load(version), store.read_table("features", day)
        matrix = feature_matrix(features, bundle.feature_names)
        measure_reasons(store, day, bundle, 3 * repeats)

        booster = cast("XGBoostEstimator", bundle.estimator).booster
        explain, part = explainer_of(booster), matrix[:SHAP_ROWS]
        scored, output = scored_day(store, day), UPath(home / "explained.parquet")
        ours, theirs = "explain --all", "shap.TreeExplainer"
        peers = {
            ours: lambda: per_thousand(lambda: explain_day(store, scored, version, bundle, output), len(matrix)),
            theirs: lambda: per_thousand(lambda: explain(part), len(part)),
        }
        costs = alternate(peers, repeats=repeats)
        show(f"Every decision of {len(matrix):,}, {bundle.estimator.round_count} trees", costs, ours, theirs)

        labels = store.read_table("raw_transactions", day, ["Class"])["Class"].to_numpy()
        for name, trees in (("lightgbm", "booster"), ("random_forest", "forest")):
            estimator = fitted(name, matrix, labels)
            measure_trees(name, estimator, getattr(estimator, trees), matrix, repeats)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
