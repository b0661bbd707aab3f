"""Sixty days of a model's life in one command, told as a table: what a platform does that looks after its own model.

Transactions land every day and their labels seven days later; the data drifts twice; somebody puts a careless
challenger into shadow and, after its rejection, makes it champion all the same. Everything else the platform does by
itself: its sensors and its monthly schedule are asked day by day, and what they ask for runs through the real graph,
with MLflow's registry and Dagster's history on disk. At the end the past is asked back: who decided each day and why,
and whether days that are scored again come out bit for bit the same.

    python benchmarks/life.py [--days 60] [--seed 7] [--brief] [--home FOLDER]

Exit code 1 where an answer is missing or a replayed day differs.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asking_back import differing_replays, unanswered
from measuring import processor_seconds
from temporary_home import FOREIGN

if TYPE_CHECKING:
    from fraud_platform.defs.resources import Platform
    from fraud_platform.defs.ticking import AskedRun, Clockwork
    from fraud_platform.simulation.upstream import Upstream

# A fixed calendar: the same seed then tells the same story on every day it is run. First Sundays: 1 February, 1 March.
FIRST_DAY = date(2026, 1, 5)
MINUTES_ALLOWED = 10


@dataclass(frozen=True)
class Plan:
    """When upstream and people do what, in days from 0; an event beyond the life's end does not happen.

    Attributes:
        days: how long the life is.
        label_delay_days, shadow_days: as the settings of these names.
        rows_per_day, fraud_rate: of every day; with more frauds than in life, a small day says as much as a large one.
        history: days without any model; the first one is made at their end.
        first_drift, second_drift: first days with changed data.
        careless_challenger: when somebody puts it into shadow.
        hasty_promotion: when somebody promotes it although it was rejected.
    """

    days: int = 60
    label_delay_days: int = 7
    shadow_days: int = 7
    rows_per_day: int = 2_000
    fraud_rate: float = 0.03
    history: int = 14
    first_drift: int = 18
    second_drift: int = 31
    careless_challenger: int = 41
    hasty_promotion: int = 49

    def settings(self, home: Path) -> dict[str, str]:
        """The environment the life is lived in."""
        return {
            "FRAUD_HOME": str(home),
            "FRAUD_START_DATE": FIRST_DAY.isoformat(),
            "FRAUD_CANDIDATES": '["xgboost"]',
            # Reference points: a search finds hundredths, and would be most of the life.
            "FRAUD_SEARCH_TRIALS": "0",
            "FRAUD_TRAINING_WINDOW_DAYS": "35",
            "FRAUD_SHADOW_DAYS": str(self.shadow_days),
            "FRAUD_LABEL_DELAY_DAYS": str(self.label_delay_days),
            "FRAUD_LABEL_HORIZON_DAYS": str(3 * self.label_delay_days),
        }


BRIEF = Plan(
    days=22,
    label_delay_days=1,
    shadow_days=1,
    history=5,
    first_drift=7,
    second_drift=14,
    careless_challenger=18,
    hasty_promotion=20,
)


@dataclass
class Story:
    """What happened on each day, and why."""

    told: dict[date, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    def tell(self, day: date, what: str, cause: str) -> None:
        """Adds one thing that happened."""
        self.told[day].append((what, " ".join(cause.split())))


def main() -> int:
    """Lives, tells, asks back."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=None, help="how long the life is; default 60, or 22 with --brief")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--brief", action="store_true", help="a life in fast motion: labels and shadows of one day")
    parser.add_argument("--home", type=Path, default=None, help="where it is lived; kept. Default: a temporary folder")
    arguments = parser.parse_args()
    plan = BRIEF if arguments.brief else Plan()
    plan = dataclasses.replace(plan, days=arguments.days or plan.days)
    with _home(arguments.home) as home:
        for name in FOREIGN:
            os.environ.pop(name, None)
        os.environ.update(plan.settings(home))
        return live(plan, arguments.seed)


def live(plan: Plan, seed: int) -> int:
    """One life in the `FRAUD_HOME` of the environment; 0 where every question at its end has its answer."""
    from fraud_platform.definitions import defs
    from fraud_platform.defs.deployments import platform_of
    from fraud_platform.defs.instance import open_instance
    from fraud_platform.defs.ticking import Clockwork
    from fraud_platform.settings import load_settings

    began, story = time.perf_counter(), Story()
    platform = platform_of(load_settings())
    days = [FIRST_DAY + timedelta(days=number) for number in range(plan.days)]
    with open_instance() as instance:
        clockwork = Clockwork(defs, instance)
        upstream = _upstream(plan, seed)
        for number, day in enumerate(days):
            upstream.land(platform.landing, day)
            _people_and_events(plan, number, day, platform, clockwork, story)
            _record(story, day, clockwork.finish(day), platform)
            if number + 1 == plan.history:
                _first_model(clockwork, day, platform, story)
            print(f"\r{day}: {time.perf_counter() - began:.0f} s", end="", file=sys.stderr, flush=True)
        lived, worked = time.perf_counter() - began, processor_seconds()
        print(file=sys.stderr)
        print_story(story, days, platform)
        problems = [*unanswered(platform), *differing_replays(clockwork, platform)]
    print(
        f"\n{plan.days} days lived in {lived / 60:.1f} minutes, {worked / 60:.1f} minutes of processor time (at most "
        f"{MINUTES_ALLOWED} minutes are allowed for 60 days on two cores of its own)."
    )
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if problems else 0


def _upstream(plan: Plan, seed: int) -> "Upstream":
    from fraud_platform.simulation.drift import DriftInjection
    from fraud_platform.simulation.upstream import Upstream

    def day(number: int) -> date:
        return FIRST_DAY + timedelta(days=number)

    second = DriftInjection(
        start=day(plan.second_drift),
        amount_factor=3.0,
        shifted_columns=("V1", "V2", "V5", "V6", "V8", "V9"),
        rotated_pairs=(("V3", "V17"), ("V11", "V7")),
    )
    return Upstream(
        first_day=FIRST_DAY,
        seed=seed,
        rows_per_day=plan.rows_per_day,
        fraud_rate=plan.fraud_rate,
        label_delay_days=plan.label_delay_days,
        drifts=(DriftInjection(start=day(plan.first_drift)), second),
    )


def _first_model(clockwork: "Clockwork", day: date, platform: "Platform", story: Story) -> None:
    from fraud_platform.defs import runs
    from fraud_platform.defs.demo import SCORED
    from fraud_platform.defs.jobs import CAUSE_TAG, TRIGGER_TAG

    tags = {TRIGGER_TAG: "manual", CAUSE_TAG: "the first model"}
    runs.run_day(clockwork.definitions, clockwork.instance, "retraining", day, tags=tags)
    _tell_release(story, day, day, platform)
    runs.run_range(clockwork.definitions, clockwork.instance, SCORED, FIRST_DAY, day)
    story.tell(day, f"{FIRST_DAY} to {day} scored in hindsight", "days before the first model")


def _people_and_events(
    plan: Plan, number: int, day: date, platform: "Platform", clockwork: "Clockwork", story: Story
) -> None:
    if number in (plan.first_drift, plan.second_drift):
        story.tell(day, "the data drifts", "fraudsters, prices and customers change")
    if number == plan.careless_challenger:
        version = _careless(platform, day)
        story.tell(day, f"{version.semver} enters shadow by hand", "somebody lowered the threshold to catch more")
    if number == plan.hasty_promotion:
        _promote_the_careless(clockwork, platform, day, story)


def _careless(platform: "Platform", day: date) -> Any:
    """The champion with a threshold a hundredth of its own, registered and put into shadow by hand."""
    from fraud_platform.registry.shadow import begin_shadow

    champion = platform.registry.find("champion")
    bundle = platform.registry.load(champion)
    threshold = dataclasses.replace(bundle.threshold, value=bundle.threshold.value / 100)
    note = {**bundle.provenance, "note": "threshold lowered by hand"}
    careless = dataclasses.replace(bundle, threshold=threshold, provenance=note)
    version = platform.registry.register(
        careless.to_bytes(),
        digest=careless.digest,
        as_of=champion.as_of,
        algorithm=careless.algorithm,
        feature_schema_version=careless.feature_schema_version,
        origin=champion.origin,
        cause="manual: threshold lowered by hand",
        run_id=None,
        created_at=datetime.now(UTC),
        description="the champion with a lower threshold",
    )
    begin_shadow(platform.registry, version, first_day=day, reason="tried by hand")
    return version


def _promote_the_careless(clockwork: "Clockwork", platform: "Platform", day: date, story: Story) -> None:
    from fraud_platform.defs import runs

    careless = next(version for version in platform.registry.versions() if "by hand" in version.cause)
    config = {"version": careless.version, "reason": "the board wants more frauds caught", "approved_by": "the board"}
    clockwork.definitions.resolve_job_def("promote_model").execute_in_process(
        instance=clockwork.instance,
        run_config={**runs.QUIET, "ops": {"promotion": {"config": {**config, "is_overruling": True}}}},
    )
    story.tell(day, f"{careless.semver} promoted by hand", f"{config['reason']} (its rejection overruled)")


def _record(story: Story, day: date, runs: Sequence["AskedRun"], platform: "Platform") -> None:
    for run in runs:
        if run.problem:
            story.tell(day, f"{run.job} of {run.day or day} failed", run.problem)
        elif run.job == "retraining":
            story.tell(day, f"retraining as of {run.day}", f"{run.trigger}: {run.cause}")
            _tell_release(story, day, run.day or day, platform)
        elif run.change:
            number = run.change.rpartition(" ")[2]
            changed, champion = platform.registry.find(number), platform.registry.find("champion")
            fate = "promoted" if changed == champion else "rolled back" if run.trigger == "rollback" else "rejected"
            story.tell(day, f"{changed.semver}: {fate}; champion is {champion.semver}", f"{run.trigger}: {run.cause}")


def _tell_release(story: Story, day: date, as_of: date, platform: "Platform") -> None:
    release = platform.store.read_json("model_release", as_of)
    story.tell(day, f"{release['model']['semver']}: {release['action']}", release["reasons"][0])


def print_story(story: Story, days: Sequence[date], platform: "Platform") -> None:
    """The life as a Markdown table, a row for each thing that happened and one for each quiet day."""
    from fraud_platform.monitoring.charge import in_charge

    print("\n| day | what happened | cause | champion | F1 est. | F1 real. |\n|---|---|---|---|--:|--:|")
    for day in days:
        champion = in_charge(platform.registry, platform.store, day).model
        outcome = platform.store.read_json("realised_performance", day)
        figures = (outcome["estimated"].get("f1"), outcome["realised"].get("f1"))
        estimated, realised = ("n/a" if figure is None else f"{figure:.3f}" for figure in figures)
        decided = f"{champion.version.semver}{'*' if champion.is_hindsight else ''}"
        first, *others = story.told.get(day) or [("", "")]
        print(f"| {day} | {first[0]} | {first[1]} | {decided} | {estimated} | {realised} |")
        for what, cause in others:
            print(f"| | {what} | {cause} | | | |")
    print("\n\\* in hindsight: the model has learned from this day or later ones")


@contextmanager
def _home(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="fraud-life-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
