"""Turns a judgement about stored days into a partitioned asset check that judges one day or a range.

What is judged, and by which rule, belongs to the rooms; this module only carries verdicts to Dagster.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from fraud_platform.defs.daily_asset import RETRIES, retried_only_where_time_helps
from fraud_platform.defs.memory import give_back_memory
from fraud_platform.defs.partitions import DAYS
from fraud_platform.defs.previews import accepted_previews
from fraud_platform.defs.resources import Platform

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema

    from fraud_platform.contracts import Contract


@dataclass(frozen=True)
class Verdict:
    """What a check says of one day: one sentence, and the figures behind it."""

    is_passed: bool
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def daily_check(
    *, asset: str, name: str, description: str, judge: Callable[[date, Platform], Verdict], blocking: bool
) -> dg.AssetChecksDefinition:
    """An asset check that calls `judge(day, platform)` for every day of the run."""

    def judge_each(days: Sequence[date], platform: Platform) -> Iterator[tuple[date, Verdict]]:
        for day in days:
            with retried_only_where_time_helps(day):
                verdict = judge(day, platform)
            yield day, verdict

    return _check_of_days(asset=asset, name=name, description=description, judge=judge_each, blocking=blocking)


def _check_of_days(
    *,
    asset: str,
    name: str,
    description: str,
    judge: Callable[[Sequence[date], Platform], Iterable[tuple[date, Verdict]]],
    blocking: bool,
) -> dg.AssetChecksDefinition:
    """An asset check that has `judge(days, platform)` tell its verdict on each day of the run, in whatever way.

    In a run over a range Dagster records one evaluation that belongs to no partition and blocks when any day fails;
    beside it each day gets an evaluation of its own, so that its verdict stands where it is looked for.
    """

    def check(context: dg.AssetCheckExecutionContext, platform: Platform) -> dg.AssetCheckResult:
        days = [date.fromisoformat(key) for key in context.op_execution_context.partition_keys]
        verdicts = {}
        with retried_only_where_time_helps(*days):
            for day, verdict in judge(days, platform):
                verdicts[day] = verdict
                give_back_memory()
        # A range of one day is still a range to Dagster: only a run of a partition gives its evaluation a day.
        if context.op_execution_context.has_partition_key:
            verdict = verdicts[days[0]]
            return dg.AssetCheckResult(passed=verdict.is_passed, metadata=_metadata(verdict))
        for day, verdict in verdicts.items():
            context.op_execution_context.log_event(
                # Taken at run time; only the annotation has not heard of checks.
                dg.AssetCheckEvaluation(  # type: ignore[arg-type]
                    asset_key=dg.AssetKey(asset),
                    check_name=name,
                    passed=verdict.is_passed,
                    metadata=_metadata(verdict),
                    partition=day.isoformat(),
                    severity=dg.AssetCheckSeverity.ERROR,
                    blocking=blocking,
                )
            )
        failed = [day for day, verdict in verdicts.items() if not verdict.is_passed]
        return dg.AssetCheckResult(
            passed=not failed,
            metadata={
                "verdict": f"{len(failed)} of {len(days)} days failed",
                "day by day": dg.MetadataValue.md(_as_markdown(verdicts)),
            },
        )

    with accepted_previews():
        return dg.asset_check(
            asset=asset,
            name=name,
            description=description,
            blocking=blocking,
            partitions_def=DAYS,
            retry_policy=RETRIES,
        )(check)


def schema_check(asset: str, schema: Callable[[], "DataFrameSchema"]) -> dg.AssetChecksDefinition:
    """A blocking check that the stored table keeps its Pandera contract: columns, order, types, ranges, uniqueness."""

    def judge(days: Sequence[date], platform: Platform) -> Iterator[tuple[date, Verdict]]:
        from fraud_platform.contracts import judge_days

        def stored(day: date) -> "pd.DataFrame":
            with retried_only_where_time_helps(day):
                return platform.store.read_table(asset, day)

        for day, contract in judge_days(schema(), ((day, stored(day)) for day in days)):
            yield day, _verdict(contract)

    return _check_of_days(
        asset=asset,
        name="schema",
        description=f"Every row of `{asset}` keeps the table's Pandera contract; nothing downstream runs otherwise.",
        judge=judge,
        blocking=True,
    )


def _verdict(contract: "Contract") -> Verdict:
    broken = contract.violations
    if broken:
        return Verdict(False, f"{len(broken)} rules of the contract are broken", {"violations": dict(broken)})
    return Verdict(True, f"{contract.row_count} rows keep the contract", {"rows": contract.row_count})


def _metadata(verdict: Verdict) -> dict[str, Any]:
    return {"verdict": verdict.sentence, **verdict.figures}


def _as_markdown(verdicts: Mapping[date, Verdict]) -> str:
    rows = [f"| {day} | {'passed' if v.is_passed else '**failed**'} | {v.sentence} |" for day, v in verdicts.items()]
    return "\n".join(["| day | verdict | why |", "|---|---|---|", *rows])
