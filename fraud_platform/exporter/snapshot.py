"""Everything the exporter shows, gathered from history, storage and registry, each of which may be away for a while.

How the figures are named belongs to `batch_metrics` and `model_metrics`; who asks for them belongs to `serving`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock
from time import perf_counter
from typing import Any, TypeVar

from fraud_platform.day_store import DayStore
from fraud_platform.defs.doctor import Finding, examined
from fraud_platform.defs.instance import open_instance
from fraud_platform.defs.watched_history import History, HistoryReader
from fraud_platform.errors import PlatformError
from fraud_platform.monitoring.stored_figures import DriftFigures, OutcomeFigures, drift_figures, outcome_figures
from fraud_platform.registry.registry import CHAMPION, ModelRegistry, ModelVersion

SOURCES = ("history", "storage", "registry")
_Figures = TypeVar("_Figures")


@dataclass(frozen=True)
class Snapshot:
    """What was gathered last; of a source that cannot be read now, what it told last.

    Attributes:
        history: batches and runs; None before they were first read.
        drift: the newest drift report.
        performance: the newest report on realised performance, with its estimates.
        judged: the same of the newest day whose labels are mature.
        versions: every registered model.
        findings: how each source is.
        gathered_at: when this round ended; None before the first.
        seconds: how long it took.
    """

    history: History | None = None
    drift: DriftFigures | None = None
    performance: OutcomeFigures | None = None
    judged: OutcomeFigures | None = None
    versions: tuple[ModelVersion, ...] = ()
    findings: tuple[Finding, ...] = ()
    gathered_at: datetime | None = None
    seconds: float = 0.0

    @property
    def champion(self) -> ModelVersion | None:
        """Who decides now."""
        return next((version for version in self.versions if CHAMPION in version.aliases), None)


class Gatherer:
    """Gathers a snapshot whenever told to; whoever asks meanwhile gets the one before, at once."""

    def __init__(
        self,
        *,
        store: Callable[[], DayStore],
        registry: Callable[[], ModelRegistry],
        clock: Callable[[], datetime],
    ):
        self._store = store
        self._registry = registry
        self._clock = clock
        self._reader: HistoryReader | None = None
        self._open = ExitStack()
        self._known: dict[str, Any] = {}
        # The history is followed from where the round before has stopped.
        self._alone = Lock()
        self.snapshot = Snapshot()

    def gather(self) -> Snapshot:
        """A new snapshot: every source is asked, and one that cannot be read stops none of the others."""
        with self._alone:
            began = perf_counter()
            findings = (
                examined("history", self._read_history, "start the database, or correct DAGSTER_HOME"),
                examined("storage", self._read_reports, "correct FRAUD_STORAGE"),
                examined("registry", self._read_versions, "start the MLflow server or correct MLFLOW_TRACKING_URI"),
            )
            self.snapshot = Snapshot(
                **self._known, findings=findings, gathered_at=self._clock(), seconds=perf_counter() - began
            )
            return self.snapshot

    def close(self) -> None:
        """Lets go of the history."""
        self._open.close()

    def _read_history(self) -> str:
        if self._reader is None:
            # A database that was away at the start may be there later.
            self._reader = HistoryReader(self._open.enter_context(open_instance()))
        history = self._reader.read()
        self._known["history"] = history
        return f"{len(history.scored)} days decided"

    def _read_reports(self) -> str:
        store, history = self._store(), self._known.get("history")
        drift, performance = store.days("drift_report", "json"), store.days("realised_performance", "json")
        judged = [day for day in performance if history and day in history.judged]
        # Figures, not documents: one that cannot be understood is told here, and not to whoever asks for the page.
        read = {
            "drift": _figures(store, "drift_report", drift, drift_figures),
            "performance": _figures(store, "realised_performance", performance, outcome_figures),
            "judged": _figures(store, "realised_performance", judged, outcome_figures),
        }
        self._known |= read
        return f"newest drift report: {drift[-1] if drift else 'none yet'}"

    def _read_versions(self) -> str:
        self._known["versions"] = tuple(self._registry().versions())
        return f"{len(self._known['versions'])} models registered"


def _figures(
    store: DayStore, name: str, days: Sequence[date], read: Callable[[Mapping[str, Any]], _Figures]
) -> _Figures | None:
    """The figures of the report of the last of `days`; None where there is none.

    Raises:
        PlatformError: it is there, and no such report.
    """
    if not days:
        return None
    try:
        return read(store.read_json(name, days[-1]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PlatformError(
            f"{name} of {days[-1]} is no such report ({type(error).__name__}: {error}); materialise it again"
        ) from error
