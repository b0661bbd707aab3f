"""Lives a day without a daemon: asks the platform's own sensors and schedules, and runs what they ask for.

What lands, and when a day is over, belongs to the caller. `dagster dev` does the same with a clock and processes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs import history, runs
from fraud_platform.defs.jobs import CAUSE_TAG, CHANGE_TAG, RANGE_END_TAG, TRIGGER_TAG
from fraud_platform.defs.schedules import RETRAINING_HOUR, RETRAINING_WEEKDAY

# In the order in which they make sense within a day; none relies on it.
SENSORS = (
    "landing_sensor",
    "late_labels_sensor",
    "retrain_on_drift_sensor",
    "retrain_on_performance_sensor",
    "shadow_sensor",
    "rollback_sensor",
)
RUN_KEY_TAG = "dagster/run_key"
SENSOR_TAG = "dagster/sensor_name"
# A day on which sensors never come to rest has something wrong with it.
MOST_ROUNDS = 12


@dataclass(frozen=True)
class AskedRun:
    """A run that a sensor or schedule asked for, and how it ended.

    Attributes:
        asked_by: the sensor or schedule.
        job: what was run.
        day: the partition, the last one of a range; None for jobs without one.
        trigger, cause, change: as the run's tags say; empty where it has none.
        problem: why it failed, in one line; None where it did not.
    """

    asked_by: str
    job: str
    day: date | None
    trigger: str
    cause: str
    change: str
    problem: str | None


@dataclass
class Clockwork:
    """The sensors and schedules of one installation, with the cursors a daemon would keep.

    Attributes:
        definitions: the graph.
        instance: whose history the sensors read.
        is_monthly: whether the monthly schedule is switched on.
        on_run: called before each run with a sentence.
    """

    definitions: dg.Definitions
    instance: DagsterInstance
    is_monthly: bool = True
    on_run: Callable[[str], Any] = lambda sentence: None
    _cursors: dict[str, str | None] = field(default_factory=dict)

    def finish(self, day: date) -> list[AskedRun]:
        """Everything asked for at the end of `day`: by the schedules once, by the sensors until none asks any more.

        Raises:
            RuntimeError: the sensors do not come to rest.
        """
        done = []
        for _ in range(MOST_ROUNDS):
            asked = [run for name in SENSORS for run in self.tick(name)]
            done += asked
            if not asked:
                break
        else:
            raise RuntimeError(f"{day}: the sensors do not come to rest: {done[-1]}")
        if self.is_monthly and (scheduled := self._monthly(day)):
            done += scheduled
            done += self.tick("shadow_sensor")
        return done

    def tick(self, sensor: str) -> list[AskedRun]:
        """What `sensor` asks for now, run one after the other."""
        return [self._run(sensor, request) for request in self.requests(sensor)]

    def requests(self, name: str) -> list[dg.RunRequest]:
        """What the sensor `name` asks for now and has not asked for before."""
        repository = self.definitions.get_repository_def()
        sensor = repository.get_sensor_def(name)
        available = self.definitions.resources or {}
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursors.get(name),
            repository_def=repository,
            sensor_name=name,
            resources={key: available[key] for key in sensor.required_resource_keys},
        ) as context:
            tick = sensor.evaluate_tick(context)
        self._cursors[name] = tick.cursor
        return [request for request in tick.run_requests or [] if not self._is_known(name, request)]

    def _is_known(self, name: str, request: dg.RunRequest) -> bool:
        """Whether the daemon would skip the request: a run key starts one run."""
        if request.run_key is None:
            return False
        tags = {SENSOR_TAG: name, RUN_KEY_TAG: request.run_key}
        return bool(self.instance.get_run_records(dg.RunsFilter(tags=tags), limit=1))

    def _monthly(self, day: date) -> list[AskedRun]:
        # The tick of the night after `day`.
        at = datetime.combine(day + timedelta(days=1), time(RETRAINING_HOUR), tzinfo=UTC)
        if at.isoweekday() % 7 != RETRAINING_WEEKDAY:
            return []
        name = "monthly_retraining_schedule"
        repository = self.definitions.get_repository_def()
        schedule = repository.get_schedule_def(name)
        with dg.build_schedule_context(
            instance=self.instance, scheduled_execution_time=at, repository_def=repository
        ) as context:
            requests = schedule.evaluate_tick(context).run_requests or []
        return [self._run(name, request) for request in requests if not self._is_known(name, request)]

    def _run(self, asked_by: str, request: dg.RunRequest) -> AskedRun:
        job = request.job_name or self._job_of(asked_by)
        tags: Mapping[str, str] = request.tags
        cause = tags.get(CAUSE_TAG, "")
        key = request.partition_key or tags.get(RANGE_END_TAG)
        day = date.fromisoformat(key) if key else None
        self.on_run(f"{job}{f' of {day}' if day else ''}: {cause}")
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            asset_selection=request.asset_selection,
            run_config={**runs.QUIET, **(request.run_config or {})},
            tags={**tags, SENSOR_TAG: asked_by, RUN_KEY_TAG: request.run_key or ""},
            raise_on_error=False,
        )
        problem = None
        if not result.success:
            problem = history.cause_of_failure(result.all_events) or "a blocking check failed"
        return AskedRun(asked_by, job, day, tags.get(TRIGGER_TAG, ""), cause, tags.get(CHANGE_TAG, ""), problem)

    def _job_of(self, name: str) -> str:
        repository = self.definitions.get_repository_def()
        known = repository.get_sensor_def if repository.has_sensor_def(name) else repository.get_schedule_def
        return str(known(name).job_name)
