"""What a training tried and found, written to its MLflow run: parameters, metrics, plots, documents, provenance.

Starting and ending the run does not belong here, nor does the registry (`mlflow_registry`).
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from fraud_platform.governance.pan_guard import mask_card_numbers
from fraud_platform.processes import process_mark
from fraud_platform.registry.mlflow_connection import EXPERIMENT, MlflowConnection
from fraud_platform.registry.mlflow_runs import PROCESS_TAG
from fraud_platform.registry.provenance import CodeProvenance
from fraud_platform.storage import canonical_json

if TYPE_CHECKING:
    from fraud_platform.training.contest import Contender
    from fraud_platform.training.evaluation import Evaluation
    from fraud_platform.training.training import TrainingResult

# MLflow's limit for one request.
_ENTRIES_PER_BATCH = 100

_PARENT_RUN_TAG = "mlflow.parentRunId"
_DESCRIPTION_TAG = "mlflow.note.content"


@dataclass(frozen=True)
class TrainingFacts:
    """What is known about a training beside its result; each becomes a tag of the run.

    Attributes:
        as_of: the day whose end bounds what the model knows.
        data_version: digest of the training data.
        seed: seed of every random choice.
        origin: where the training rows came from: landed, replayed or simulated.
        cause: why it was trained.
        code: code and environment.
        training_duration_seconds: wall-clock time of search and fit.
    """

    as_of: date
    data_version: str
    seed: int
    origin: str
    cause: str
    code: CodeProvenance
    training_duration_seconds: float

    def as_tags(self) -> dict[str, str]:
        """The facts as tags; what is not known says so."""
        return {
            "as_of": self.as_of.isoformat(),
            "data_version": self.data_version,
            "seed": str(self.seed),
            "origin": self.origin,
            "cause": self.cause,
            "git_commit": self.code.git_commit or "unknown",
            "uv_lock_sha256": self.code.uv_lock_sha256 or "unknown",
            "python_version": self.code.python_version,
            "training_duration_seconds": f"{self.training_duration_seconds:.1f}",
        }


def prepare_experiment(tracking_url: str, experiment: str = EXPERIMENT, *, artifact_url: str | None = None) -> str:
    """The id of the experiment, created where it is missing with its files at `artifact_url`; MLflow is quiet after.

    Raises:
        RegistryError: MLflow cannot be reached.
    """
    return MlflowConnection(tracking_url, artifact_url=artifact_url, experiment=experiment).experiment_id()


class MlflowTracker:
    """Writes to one MLflow run, whether it is open or has ended.

    Every method raises RegistryError, in one line, when MLflow cannot be reached or refuses.

    Args:
        tracking_url: database URI or the URL of an MLflow server.
        run_id: the run to write to.
    """

    def __init__(self, tracking_url: str, *, run_id: str) -> None:
        self.run_id = run_id
        self._connection = MlflowConnection(tracking_url)

    def log_training(self, result: "TrainingResult", facts: TrainingFacts) -> None:
        """Writes the winner's parameters and metrics, the facts, and one child run per candidate with its trials."""
        self.set_tags({**facts.as_tags(), "algorithm": result.bundle.algorithm, "bundle_sha256": result.bundle.digest})
        for contender in result.contenders:
            with self._child_run(contender.name) as child:
                child._log_contender(contender)
                child.set_tags({**facts.as_tags(), "algorithm": contender.name})
            if contender.name == result.bundle.algorithm:
                self._log_contender(contender)
        self.log_evaluation(result.out_of_fold, "out_of_fold")
        if result.forward is not None:
            self.log_evaluation(result.forward, "forward")
        for threshold in (result.bundle.threshold, *result.bundle.alternatives):
            figures = {"threshold": threshold.value, **threshold.expected}
            self.log_metrics({f"{threshold.policy}_{name}": figure for name, figure in figures.items()})

    def log_evaluation(self, evaluation: "Evaluation", split: str) -> None:
        """Writes every figure of `evaluation` and its bounds, as `<split>_f1`, `<split>_f1_low`, `<split>_f1_high`."""
        self.log_metrics(evaluation_metrics(evaluation, split))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Writes parameters; MLflow refuses another value for one that is there."""
        from mlflow.entities import Param

        entries = [Param(name, _as_parameter(setting)) for name, setting in params.items()]
        with self._connection.reach("log parameters") as client:
            for start in range(0, len(entries), _ENTRIES_PER_BATCH):
                client.log_batch(self.run_id, params=entries[start : start + _ENTRIES_PER_BATCH], synchronous=True)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Writes the metrics that exist; nan and infinite ones are left out."""
        self._log_series({name: (figure,) for name, figure in metrics.items()})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Writes tags, over what they were."""
        from mlflow.entities import RunTag

        entries = [RunTag(name, mask_card_numbers(text)) for name, text in tags.items()]
        with self._connection.reach("log tags") as client:
            for start in range(0, len(entries), _ENTRIES_PER_BATCH):
                client.log_batch(self.run_id, tags=entries[start : start + _ENTRIES_PER_BATCH], synchronous=True)

    def describe(self, markdown: str) -> None:
        """Writes what the run's page opens with, such as the model card."""
        self.set_tags({_DESCRIPTION_TAG: markdown})

    def log_plots(self, plots: Mapping[str, bytes]) -> None:
        """Writes PNG images by name below `plots/`."""
        for name, png in plots.items():
            self.log_file(f"plots/{name}.png", png)

    def log_document(self, name: str, document: Any) -> None:
        """Writes a JSON document as `<name>.json`."""
        self.log_file(f"{name}.json", canonical_json(document))

    def log_file(self, path: str, data: bytes) -> None:
        """Writes `data` at `path` among the run's files."""
        with self._connection.reach(f"store {path}") as client:
            client.log_stream(self.run_id, io.BytesIO(data), path)

    def _log_series(self, series: Mapping[str, Sequence[float]]) -> None:
        """Writes each metric's values, in order, as its steps."""
        from mlflow.entities import Metric

        with self._connection.reach("log metrics") as client:
            # MLflow wants a time with every value; all that is asked for is their order, so the run's own does.
            time = client.get_run(self.run_id).info.start_time
            entries = [
                Metric(name, float(figure), time, step)
                for name, figures in series.items()
                for step, figure in enumerate(figures)
                if math.isfinite(figure)
            ]
            for start in range(0, len(entries), _ENTRIES_PER_BATCH):
                client.log_batch(self.run_id, metrics=entries[start : start + _ENTRIES_PER_BATCH], synchronous=True)

    def _log_contender(self, contender: "Contender") -> None:
        """Parameters, figures and trials of one family; of an ensemble, those of each member by its place."""
        self.log_params({"algorithm": contender.name})
        self.log_metrics({"out_of_fold_average_precision": contender.average_precision, "seconds": contender.seconds})
        if contender.search is None:
            for place, member in enumerate(contender.members):
                named = {"algorithm": member.candidate.name, "seed": member.seed, **member.params}
                self.log_params({f"{place}_{name}": setting for name, setting in named.items()})
            return
        self.log_params(contender.search.params)
        self.log_metrics({"cv_average_precision": contender.search.average_precision})
        self._log_series({"trial_average_precision": [trial.average_precision for trial in contender.search.trials]})

    @contextmanager
    def _child_run(self, name: str) -> Iterator["MlflowTracker"]:
        """A run below this one that is over when the block is: finished, or failed when it raises."""
        with self._connection.reach(f"start the run of {name}") as client:
            parent = client.get_run(self.run_id)
            tags = {_PARENT_RUN_TAG: self.run_id, PROCESS_TAG: process_mark()}
            run_id = client.create_run(parent.info.experiment_id, run_name=name, tags=tags).info.run_id
        child = MlflowTracker(self._connection.tracking_url, run_id=run_id)
        child._connection = self._connection
        status = "FAILED"
        try:
            yield child
            status = "FINISHED"
        finally:
            with self._connection.reach(f"end the run of {name}") as client:
                client.set_terminated(run_id, status)


def _as_parameter(setting: Any) -> str:
    """`setting` as MLflow keeps it; the digits of a fraction are no card number, whatever they add up to."""
    is_fraction = isinstance(setting, float) and abs(setting) < 1
    return str(setting) if is_fraction else mask_card_numbers(str(setting))


def evaluation_metrics(evaluation: "Evaluation", split: str) -> dict[str, float]:
    """Every figure of `evaluation` by `<split>_<figure>`, intervals with their bounds as `_low` and `_high`."""
    from fraud_platform.training.evaluation import Interval

    metrics: dict[str, float] = {}
    for name, figure in vars(evaluation).items():
        if isinstance(figure, Interval):
            metrics |= {
                f"{split}_{name}": figure.value,
                f"{split}_{name}_low": figure.low,
                f"{split}_{name}_high": figure.high,
            }
        elif isinstance(figure, Mapping):
            metrics |= {f"{split}_{key}": float(count) for key, count in figure.items()}
        elif name != "confidence":
            metrics[f"{split}_{name}"] = float(figure)
    return metrics
