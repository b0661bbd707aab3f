"""What a training leaves in MLflow: its run with parameters, metrics and files, and a child run per candidate."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fraud_platform.errors import RegistryError
from fraud_platform.registry.mlflow_connection import MlflowConnection
from fraud_platform.registry.mlflow_tracker import MlflowTracker, TrainingFacts, evaluation_metrics, prepare_experiment
from fraud_platform.registry.provenance import CodeProvenance
from fraud_platform_tests.registry.judged_figures import NAN, evaluation
from fraud_platform_tests.registry.registration import march

FACTS = TrainingFacts(
    as_of=march(8),
    data_version="sha256:abc",
    seed=42,
    origin="replayed",
    cause="drift",
    code=CodeProvenance("0" * 40, None, "3.11.7"),
    training_duration_seconds=12.34,
)


def candidate(name: str, average_precision: float) -> Any:
    trials = tuple(SimpleNamespace(number=n, average_precision=0.5 + n / 10) for n in range(3))
    params = {f"parameter_{number}": number for number in range(120)}
    found = SimpleNamespace(params=params, average_precision=average_precision, trials=trials)
    return SimpleNamespace(name=name, search=found, members=(), average_precision=average_precision, seconds=1.5)


def training(*contenders: Any) -> Any:
    threshold = SimpleNamespace(policy="max_f1", value=0.4, expected={"precision": 0.9})
    bundle = SimpleNamespace(algorithm="xgboost", digest="sha256:def", threshold=threshold, alternatives=())
    return SimpleNamespace(
        bundle=bundle, contenders=contenders, out_of_fold=evaluation(average_precision=0.8), forward=None
    )


@pytest.fixture
def run_id(tracking_url: str) -> str:
    experiment = prepare_experiment(tracking_url)
    with MlflowConnection(tracking_url).reach("start a run") as client:
        return str(client.create_run(experiment, run_name="training").info.run_id)


@pytest.fixture
def tracker(tracking_url: str, run_id: str) -> MlflowTracker:
    return MlflowTracker(tracking_url, run_id=run_id)


def children(tracking_url: str, run_id: str) -> list[Any]:
    with MlflowConnection(tracking_url).reach("look") as client:
        parent = client.get_run(run_id)
        return list(
            client.search_runs(
                [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'", order_by=["tags.mlflow.runName"]
            )
        )


def test_a_training_leaves_the_winner_the_facts_and_a_child_run_per_candidate(
    tracker: MlflowTracker, tracking_url: str, run_id: str
) -> None:
    tracker.log_training(training(candidate("lightgbm", 0.7), candidate("xgboost", 0.8)), FACTS)
    with MlflowConnection(tracking_url).reach("look") as client:
        run = client.get_run(run_id)
    assert run.data.params["algorithm"] == "xgboost"
    assert len(run.data.params) == 121
    assert run.data.metrics["out_of_fold_average_precision"] == 0.8
    assert run.data.metrics["out_of_fold_average_precision_low"] == pytest.approx(0.75)
    assert (run.data.metrics["max_f1_threshold"], run.data.metrics["max_f1_precision"]) == (0.4, 0.9)
    expected = {"bundle_sha256": "sha256:def", "git_commit": "0" * 40, "uv_lock_sha256": "unknown", "seed": "42"}
    expected |= {"data_version": "sha256:abc", "python_version": "3.11.7", "training_duration_seconds": "12.3"}
    assert expected.items() <= run.data.tags.items()
    found = children(tracking_url, run_id)
    assert [child.info.run_name for child in found] == ["lightgbm", "xgboost"]
    assert [child.info.status for child in found] == ["FINISHED", "FINISHED"]
    assert found[0].data.metrics["cv_average_precision"] == 0.7
    with MlflowConnection(tracking_url).reach("look") as client:
        history = client.get_metric_history(found[0].info.run_id, "trial_average_precision")
    assert [(entry.step, entry.value) for entry in history] == [(0, 0.5), (1, 0.6), (2, 0.7)]


def test_no_child_run_stays_open_when_a_candidate_cannot_be_written(
    tracker: MlflowTracker, tracking_url: str, run_id: str
) -> None:
    broken = candidate("xgboost", 0.8)
    broken.search.params = {"no such name?!": 1}
    with pytest.raises(RegistryError, match="cannot log parameters"):
        tracker.log_training(training(broken), FACTS)
    assert [child.info.status for child in children(tracking_url, run_id)] == ["FAILED"]


def test_a_run_that_has_ended_takes_the_test_figures_plots_and_documents(
    tracker: MlflowTracker, tracking_url: str, run_id: str, tmp_path: Path
) -> None:
    with MlflowConnection(tracking_url).reach("end the run") as client:
        client.set_terminated(run_id)
    tracker.log_evaluation(evaluation(roc_auc=NAN), "test")
    tracker.log_plots({"roc": b"\x89PNG"})
    tracker.log_document("validation_metrics", {"f1": 0.8})
    tracker.describe("# A card")
    with MlflowConnection(tracking_url).reach("look") as client:
        run = client.get_run(run_id)
        plot = client.download_artifacts(run_id, "plots/roc.png", str(tmp_path))
        document = client.download_artifacts(run_id, "validation_metrics.json", str(tmp_path))
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_f1"] == 0.8
    # An undefined figure is left out rather than shown as a number.
    assert "test_roc_auc" not in run.data.metrics
    assert run.data.tags["mlflow.note.content"] == "# A card"
    assert Path(plot).read_bytes() == b"\x89PNG"
    assert json.loads(Path(document).read_text()) == {"f1": 0.8}


def test_every_figure_of_an_evaluation_becomes_a_metric() -> None:
    metrics = evaluation_metrics(evaluation(), "test")
    assert metrics["test_recall_low"] == pytest.approx(0.70)
    assert metrics["test_true_positives"] == 30
    assert metrics["test_threshold"] == 0.42
    assert metrics["test_fraud_count"] == 40
    # Eleven intervals of three figures each, four counts of the confusion, nine plain figures.
    assert len(metrics) == 11 * 3 + 4 + 9


def test_a_parameter_is_masked_where_it_holds_a_card_number_and_a_fraction_never_does(
    tracker: MlflowTracker, tracking_url: str, run_id: str
) -> None:
    # Sixteen digits behind the point that begin like a card number and pass Luhn.
    tracker.log_params({"learning_rate": 0.2718511286110643, "note": "4111 1111 1111 1111"})
    with MlflowConnection(tracking_url).reach("look") as client:
        params = client.get_run(run_id).data.params
    assert params == {"learning_rate": "0.2718511286110643", "note": "[card number]"}


def test_an_experiment_is_prepared_once(tracking_url: str) -> None:
    assert prepare_experiment(tracking_url, "another") == prepare_experiment(tracking_url, "another")
