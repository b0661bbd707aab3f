"""The job `retention`: removes what is older than the settings allow, and writes down what it removed.

Which periods hold, and how files are removed, belongs to `governance`.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.jobs import DAILY_ASSETS, RETRAINING_ASSETS
from fraud_platform.defs.resources import Platform
from fraud_platform.governance.log_retention import archive, expired_archives, old_logs, remove_archive
from fraud_platform.governance.retention import RetentionRule, expired_days, remove, retention_rules
from fraud_platform.settings import Settings
from fraud_platform.storage import open_location

# Below the storage, beside the assets.
COLD_LOGS = "logs"


class RetentionConfig(dg.Config):
    """How the job runs.

    Attributes:
        is_rehearsal: say what would be removed, and remove nothing.
    """

    is_rehearsal: bool = False


@dg.op(
    required_resource_keys={"platform"},
    description="Removes stored days and logs that are older than `FRAUD_RETENTION_*` allows.",
)
def apply_retention(context: dg.OpExecutionContext, config: RetentionConfig) -> dict[str, int]:
    """How many files of each kind are removed, or would be; the audit trail is told before the first one goes."""
    platform: Platform = context.resources.platform
    settings, today = platform.settings, datetime.now(UTC).date()
    expired = list(expired_days(platform.store, rules_of(settings), today))
    hot, cold = hot_logs(context.instance), open_location(platform.storage_url) / COLD_LOGS
    logs = list(old_logs(hot, today=today, hot_days=settings.retention_hot_log_days)) if hot else []
    archives = list(expired_archives(cold, today=today, cold_days=settings.retention_cold_log_days))
    found = {
        **Counter(each.rule.asset for each in expired),
        "archived logs": len(logs),
        "removed days of logs": len(archives),
    }
    counts = {name: count for name, count in found.items() if count}
    context.log.info(f"{'would remove' if config.is_rehearsal else 'removes'}: {counts or 'nothing'}")
    if config.is_rehearsal or not counts:
        return counts
    details = {"files": counts, "before": today.isoformat(), "run_id": context.run_id}
    platform.audit.record("retention", subject="storage", reason="older than the settings allow", details=details)
    for each in expired:
        if each.rule.asset in (*DAILY_ASSETS, *RETRAINING_ASSETS):
            # Dagster cannot forget a single partition: the day stays green, and this says why it is empty. Told before,
            # because whoever goes on after a crash no longer finds what has gone.
            metadata = {"removed_by": each.rule.setting}
            context.log_event(dg.AssetObservation(each.rule.asset, partition=each.day.isoformat(), metadata=metadata))
        remove(platform.store, each)
    for log in logs:
        archive(log, cold)
    for folder in archives:
        remove_archive(folder)
    return counts


@dg.job(description="Removes what is older than the settings allow: stored days and logs. Never the landing zone.")
def retention() -> None:
    """One step; its configuration can turn it into a rehearsal."""
    apply_retention()


# An hour when the nightly chain has ended. Off until somebody has agreed to the periods.
retention_schedule = dg.ScheduleDefinition(
    name="retention_schedule",
    job=retention,
    cron_schedule="30 4 * * *",
    execution_timezone="UTC",
    description="Removes what is older than the settings allow, every night at 04:30 UTC.",
)


def rules_of(settings: Settings) -> tuple[RetentionRule, ...]:
    """The rule of every stored asset, from the settings in force."""
    return retention_rules(
        decisions_days=settings.retention_decisions_days,
        transactions_days=settings.retention_transactions_days,
        features_days=settings.retention_features_days,
        reports_days=settings.retention_reports_days,
        training_window_days=settings.training_window_days,
    )


def hot_logs(instance: DagsterInstance) -> Path | None:
    """Where runs write their logs; None where another instance than the platform's own decides about them."""
    # Brings the database libraries along, which the code location does without.
    from fraud_platform.defs.instance import HomeComputeLogs

    logs = instance.compute_log_manager
    return logs.folder if isinstance(logs, HomeComputeLogs) else None
