"""The monthly and quarterly report as Markdown: what was decided, how right it was, what changed and who did it.

Gathering the facts belongs to `period`; the page they stand on is that of the model card (`registry.card_page`).
"""

import math
from collections.abc import Sequence

from fraud_platform.monitoring.period import Figures, PeriodFacts, Week
from fraud_platform.registry.model_card import ORIGINS, number, table

# Of these there are so many that a report lists the newest.
ENTRIES_SHOWN = 60


def period_report(
    facts: PeriodFacts, *, card: str | None = None, sections: Sequence[str] = (), semver: str | None = None
) -> str:
    """The report as Markdown.

    Args:
        facts: what is known of the period.
        card: the card of who was champion at its end, as Markdown; None without one.
        sections: audits that belong into the report, Markdown that begins with a heading of the second level.
        semver: whose card it is.
    """
    period = facts.period
    origins = "; ".join(ORIGINS.get(origin, origin) for origin in sorted(facts.origins))
    parts = (
        f"# Fraud detection, {period.name}",
        f"{period.first_day} to {period.last_day}. Decided about: {origins}.",
        _in_brief(facts),
        _champions(facts),
        _performance(facts.weeks),
        _drift(facts.weeks),
        _models(facts),
        _labels(facts),
        *sections,
        _audit(facts),
        *([f"# The champion at the end: {semver}\n\n{_below(card)}"] if card else ()),
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _in_brief(facts: PeriodFacts) -> str:
    weeks = facts.weeks
    realised, estimated = _all(weeks, "realised"), _all(weeks, "estimated")
    released = sum(release["action"] == "released" for release in facts.releases)
    lines = (
        f"{sum(week.transaction_count for week in weeks):,} transactions were decided about on "
        f"{sum(week.day_count for week in weeks)} days; {sum(week.alert_count for week in weeks):,} were alerted.",
        f"Realised F1 is {_share(realised.f1)} (precision {_share(realised.precision)}, recall "
        f"{_share(realised.recall)}) on the {realised.day_count} days with mature labels; estimated F1 of "
        f"{estimated.day_count} days is {_share(estimated.f1)}.",
        f"{len(facts.changes)} changes of the champion, {len(facts.rollbacks)} of them rollbacks; "
        f"{len(facts.releases)} models were made, {released} released at once.",
        f"The drift check failed on {sum(week.drifted_days for week in weeks)} days.",
        *_hindsight(facts),
    )
    return "\n".join(("## In brief", "", *(f"- {line}" for line in lines)))


def _hindsight(facts: PeriodFacts) -> Sequence[str]:
    days = facts.hindsight_days
    if not days:
        return ()
    which = f"{len(days)} days, {days[0]} to {days[-1]}, were" if len(days) > 1 else f"1 day, {days[0]}, was"
    return (
        f"{which} decided in hindsight, by a model that had learned from them: they count in no figure of how right it "
        "was, and not in the fairness audit.",
    )


def _champions(facts: PeriodFacts) -> str:
    rows = [
        (
            str(tenure.first_day),
            str(tenure.last_day or "now"),
            tenure.version.semver,
            tenure.reason,
            tenure.version.cause,
        )
        for tenure in facts.tenures
    ]
    if not rows:
        return "## Who decided\n\nDays before the first release, scored in hindsight."
    return "\n".join(("## Who decided", "", *table(("from", "to", "model", "why it decides", "why it was made"), rows)))


def _performance(weeks: Sequence[Week]) -> str:
    header = ("days", "decided", "alerts", "realised F1", "precision", "recall", "days known", "estimated F1")
    rows = [
        (
            f"{week.first_day} to {week.last_day}",
            f"{week.transaction_count:,}",
            f"{week.alert_count:,}",
            _share(week.realised.f1),
            _share(week.realised.precision),
            _share(week.realised.recall),
            f"{week.realised.day_count} of {week.day_count}",
            _share(week.estimated.f1),
        )
        for week in weeks
    ]
    explained = (
        "By calendar week, pooled over its days. Realised figures rest on days with mature labels; estimates on the "
        "calibrated probabilities of all days. Neither counts days decided in hindsight."
    )
    return "\n".join(("## How right it was", "", explained, "", *table(header, rows)))


def _drift(weeks: Sequence[Week]) -> str:
    rows = [
        (
            f"{week.first_day} to {week.last_day}",
            str(week.drifted_days),
            *((number(week.largest_psi[0]), week.largest_psi[1]) if week.largest_psi else ("n/a", "n/a")),
        )
        for week in weeks
    ]
    header = ("days", "days on which the check failed", "largest PSI", "of")
    return "\n".join(("## Drift", "", *table(header, rows)))


def _models(facts: PeriodFacts) -> str:
    made = [
        (
            release["model"]["as_of"],
            release["model"]["semver"],
            f"{release['trigger']}: {release['cause']}",
            release["action"],
            release["reasons"][0],
            number(release["metadata"]["metrics"]["f1_score"]),
        )
        for release in facts.releases
    ]
    shadows = [
        (str(day), _model(facts, report["challenger_version"]), report["action"], report["reasons"][0])
        for day, report in facts.shadow_verdicts.items()
    ]
    lines = ["## Models made", ""]
    header = ("as of", "model", "asked for by", "decision", "why", "test F1")
    lines += table(header, made) if made else ["None."]
    if shadows:
        lines += ["", "### How shadows ended", "", *table(("day", "model", "verdict", "why"), shadows)]
    return "\n".join(lines)


def _model(facts: PeriodFacts, version: str) -> str:
    return facts.semver.get(version, f"version {version}")


def _labels(facts: PeriodFacts) -> str:
    arrived = [
        (source.replace("_", " "), "fraud" if label else "legitimate", f"{count:,}")
        for (source, label), count in facts.labels.items()
    ]
    refused = [(reason, f"{count:,}") for reason, count in facts.refused_labels.items()]
    lines = ["## Labels that arrived", ""]
    lines += table(("source", "label", "count"), arrived) if arrived else ["None."]
    if refused:
        lines += ["", "### Labels that decide nothing", "", *table(("reason", "count"), refused)]
    return "\n".join(lines)


def _audit(facts: PeriodFacts) -> str:
    counts: dict[str, int] = {}
    for entry in facts.audit:
        counts[entry.event] = counts.get(entry.event, 0) + 1
    said = ", ".join(f"{count} {event.replace('_', ' ')}" for event, count in sorted(counts.items())) or "none"
    rows = [
        (str(entry.seq), entry.at[:16].replace("T", " "), entry.event, entry.actor, entry.subject, entry.reason)
        for entry in facts.audit[-ENTRIES_SHOWN:]
    ]
    lines = ["## Audit trail", "", f"Entries written in these days: {said}."]
    if len(facts.audit) > len(rows):
        lines += ["", f"The newest {len(rows)}:"]
    if rows:
        lines += ["", *table(("no.", "when (UTC)", "event", "who", "subject", "why"), rows)]
    return "\n".join(lines)


def _all(weeks: Sequence[Week], kind: str) -> Figures:
    figures: Sequence[Figures] = [getattr(week, kind) for week in weeks]
    return Figures(
        day_count=sum(each.day_count for each in figures),
        true_positives=sum(each.true_positives for each in figures),
        false_positives=sum(each.false_positives for each in figures),
        false_negatives=sum(each.false_negatives for each in figures),
    )


def _below(card: str) -> str:
    """The card as a part of a longer page: its title goes, which is said above it."""
    title, _, rest = card.partition("\n")
    return rest.strip() if title.startswith("# ") else card


def _share(figure: float) -> str:
    return "n/a" if math.isnan(figure) else f"{figure:.3f}"
