"""Tells people of failed runs, releases, rollbacks and models that wait for approval, wherever these come from.

Failed runs are read from Dagster's history, changes of models from the audit trail, which knows those made from a
command line as well. The cursor holds how far both were read, and the messages that somebody has not got yet.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from fraud_platform.defs.history import FailedRun, failed_runs
from fraud_platform.defs.remedies import in_one_line
from fraud_platform.defs.resources import Platform
from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit import AuditTrail
from fraud_platform.governance.audit_entry import AuditEntry
from fraud_platform.logs import event_record
from fraud_platform.notifications import KEPT_FOR, Delivery, Kind, Message, Target, addressed, deliver, open_targets
from fraud_platform.storage import is_storage_failure

# Who is named for the first time is told of the last hour, not of the whole history.
FIRST_LOOK = timedelta(hours=1)
# A tick has a minute. No further message is sent after this, and a target takes a few seconds at most.
SECONDS_TO_SEND = 30
# Dagster takes an empty cursor for none and keeps the one before.
_NOBODY = "nobody"
# Entries of the audit trail that people are told of, in the words they are told.
_CHANGES: dict[str, tuple[str, Kind]] = {
    "release": ("is released and decides", "info"),
    "promotion": ("is promoted and decides", "info"),
    "rollback": ("decides again after a rollback", "warning"),
}


@dataclass(frozen=True)
class Seen:
    """What the cursor holds: how far was read, nothing from before `since`, and who has not been told of what."""

    since: str
    run_event: int = 0
    audit_entry: int = 0
    waiting: tuple[Message, ...] = ()

    @classmethod
    def of(cls, cursor: str | None) -> "Seen":
        """What was seen up to the last tick."""
        if cursor in (None, "", _NOBODY):
            return cls((datetime.now(UTC) - FIRST_LOOK).isoformat())
        document = json.loads(cursor)
        return cls(**{**document, "waiting": tuple(map(Message.of, document["waiting"]))})

    def as_cursor(self) -> str:
        """The same for the next tick."""
        return json.dumps({**vars(self), "waiting": [message.as_dict() for message in self.waiting]})


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends failed runs, releases, rollbacks and models that wait for approval to FRAUD_ALERT_URLS.",
)
def notification_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """Sends what happened since the last tick, and what somebody could not be told then."""
    try:
        targets = open_targets(platform.settings.alert_targets())
    except PlatformError as error:
        context.log.error(str(error), extra=event_record("notification_failed"))
        return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)
    if not targets:
        # Whoever is named one day is not told of all that happened before.
        return dg.SensorResult(skip_reason="FRAUD_ALERT_URLS names nobody to tell", cursor=_NOBODY)
    seen = _news(context, platform, Seen.of(context.cursor), targets)
    began = time.monotonic()
    delivery = deliver(
        seen.waiting, targets, now=datetime.now(UTC), has_time=lambda: time.monotonic() - began < SECONDS_TO_SEND
    )
    _report(context, delivery)
    return dg.SensorResult(
        skip_reason=f"{delivery.sent} messages sent, {len(delivery.left)} wait",
        cursor=replace(seen, waiting=delivery.left).as_cursor(),
    )


def _news(context: dg.SensorEvaluationContext, platform: Platform, seen: Seen, targets: Sequence[Target]) -> Seen:
    """What was seen and what has happened since, its messages waiting for every target."""
    runs = failed_runs(context.instance, after=seen.run_event)
    news = [_of_run(run) for run in runs]
    head = seen.audit_entry
    try:
        for entry in _unseen(platform.audit, seen.audit_entry):
            head = entry.seq
            if (message := _of_entry(entry)) is not None:
                news.append(message)
    except Exception as error:
        if not isinstance(error, PlatformError) and not is_storage_failure(error):
            raise
        # Runs that fail because the storage is gone are just what people have to be told of.
        told = f"the audit trail cannot be read now: {in_one_line(error)}"
        context.log.warning(told, extra=event_record("notification_late"))
    fresh = sorted((message for message in news if message.at >= seen.since), key=lambda message: message.at)
    return replace(
        seen,
        run_event=runs[-1].event_id if runs else seen.run_event,
        audit_entry=head,
        waiting=(*seen.waiting, *addressed(fresh, targets)),
    )


def _unseen(trail: AuditTrail, seen: int) -> Iterator[AuditEntry]:
    head = trail.head()
    if head is None:
        return
    # A trail that was moved away begins anew.
    yield from trail.entries(after=seen if seen <= head.seq else 0)


def _of_run(run: FailedRun) -> Message:
    again = "\nIt is run again by itself." if run.is_retried else ""
    return Message(f"{run.job} of {run.day} failed", f"{run.cause}\nRun {run.run_id}.{again}", "failure", run.at)


def _of_entry(entry: AuditEntry) -> Message | None:
    """What an entry tells people; None where it is not for them."""
    model = entry.subject.removeprefix("model/")
    if entry.details.get("action") == "approval":
        body = f"{entry.reason}\nPromote it with `fraud-platform promote {model} --approved-by NAME`, or leave it."
        return Message(f"model {model} waits for approval", body, "warning", entry.at)
    if entry.event not in _CHANGES:
        return None
    done, kind = _CHANGES[entry.event]
    return Message(f"model {model} {done}", f"{entry.reason}\nBy {entry.actor}, entry {entry.seq}.", kind, entry.at)


def _report(context: dg.SensorEvaluationContext, delivery: Delivery) -> None:
    if delivery.sent:
        context.log.info(f"{delivery.sent} messages sent", extra=event_record("notifications_sent", sent=delivery.sent))
    for name in delivery.unreachable:
        context.log.error(
            f"{name} of FRAUD_ALERT_URLS did not take a message; it is tried again at the next tick",
            extra=event_record("notification_failed", target=name, waiting=len(delivery.left)),
        )
    for title in delivery.given_up:
        context.log.error(
            f"given up after {KEPT_FOR.days} days without reaching everybody: {title}",
            extra=event_record("notification_given_up"),
        )
