"""The model card: what a model is, learnt from, reaches and must not be used for, on one Markdown page.

Deciding about the model does not belong here; the card repeats what was decided elsewhere.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from fraud_platform.day_store import DayStore
from fraud_platform.registry.gates import GateResult
from fraud_platform.registry.registry import ModelVersion
from fraud_platform.registry.tables import FIGURES, slices_markdown
from fraud_platform.training.evaluation import Evaluation, Interval
from fraud_platform.training.slices import Slice

APPROVAL_HEADING = "## Approval"

ORIGINS = {
    "landed": "transactions landed by upstream systems",
    "replayed": "a public file, replayed over calendar days",
    "simulated": "**simulated transactions: figures below say nothing about real fraud**",
}

_LIMITS = (
    "Made to rank card transactions of one day for human review, not to refuse a customer without one.",
    "`V1` to `V28` are anonymised components: reasons name them, nobody can say what they mean in the business.",
    "It knows no card holder, merchant or country, so it cannot be examined for unequal treatment of groups.",
    "Fraud changes: figures hold for data like that it learnt from. `drift_report` says when that ends.",
)


def stored_card(store: DayStore, version: ModelVersion) -> Mapping[str, Any] | None:
    """What `model_release` stored as the card of `version`; None without one, or where it is another version's."""
    if not store.exists("model_card", version.as_of, "json"):
        return None
    document: Mapping[str, Any] = store.read_json("model_card", version.as_of)
    return document if document.get("version") == version.version else None


def model_card(
    *,
    name: str,
    algorithm: str,
    provenance: Mapping[str, Any],
    evaluation: Evaluation,
    gates: Sequence[GateResult],
    threshold: Mapping[str, Any],
    origin: str,
    slices: Sequence[Slice] = (),
) -> str:
    """The card as Markdown, some 4,000 characters, fit for a description in MLflow.

    Args:
        name: what the model is called, such as "fraud_detector".
        algorithm: the candidate family.
        provenance: of the bundle; what of it is a number, a text or a date is shown.
        evaluation: on the test split.
        gates: every gate's answer.
        threshold: the decision threshold as a document, `value` and `policy` among it.
        origin: where its training rows came from: landed, replayed or simulated.
        slices: its decisions on the test split band by band; none where nobody looked.
    """
    facts = {
        key: entry
        for key, entry in sorted(provenance.items())
        if isinstance(entry, str | int | float) and not isinstance(entry, bool) and key != "origin"
    }
    return "\n".join(
        (
            f"# {name}: {_words(algorithm)}",
            "",
            f"Finds fraud in daily batches of card transactions. Trained on {ORIGINS.get(origin, origin)}.",
            "",
            "## Where it comes from",
            "",
            *table(("fact", "value"), [(_words(key), _text(entry)) for key, entry in facts.items()]),
            "",
            "## What it reaches",
            "",
            f"On the test split, which nothing was chosen on: {evaluation.rows_in_words}. Intervals hold "
            f"{evaluation.confidence:.0%} of the time. A missed fraud costs its amount, an alert "
            f"{evaluation.review_cost:g}.",
            "",
            *table(
                ("figure", "value", "interval"),
                [(_figure_name(figure, evaluation), *_interval(getattr(evaluation, figure))) for figure in FIGURES],
            ),
            "",
            f"A transaction is alerted from probability {float(threshold['value']):.4f} on "
            f"({_words(str(threshold.get('policy', 'given')))}, chosen on rows the models had not seen). "
            + ", ".join(f"{_words(key)} {count:,}" for key, count in evaluation.confusion.items())
            + ".",
            "",
            "## Acceptance gates",
            "",
            *table(
                ("gate", "value", "limit", "verdict"),
                [
                    (_words(gate.name), number(gate.value), number(gate.limit), "pass" if gate.is_passed else "FAIL")
                    for gate in gates
                ],
            ),
            "",
            *(("### Slice by slice", "", slices_markdown(slices), "") if slices else ()),
            "## Limits",
            "",
            *(f"- {limit}" for limit in _LIMITS),
            "",
        )
    )


def standing_markdown(version: ModelVersion, policy_version: str | None = None) -> str:
    """The section "Approval": where the version stands, who let it decide, from when on, and what speaks against it."""
    days = ", ".join(day.isoformat() for day in version.champion_from) or "never"
    shadow = "none"
    # One that ended the day before it began: somebody approved the model at once.
    if version.shadow_from is not None and version.shadow_until != version.shadow_from - timedelta(days=1):
        shadow = f"{version.shadow_from} to {version.shadow_until or 'now'}"
    facts = [
        ("version", f"{version.semver} (number {version.version})"),
        ("stage", version.stage),
        ("champion from", days),
        ("why", version.promotion_reason or "it was not promoted"),
        ("approved by", version.approved_by or "nobody, by the release policy"),
        ("shadow", shadow),
        ("rejected", version.rejection or "no"),
        *([("release policy", policy_version)] if policy_version else []),
    ]
    return "\n".join(
        (APPROVAL_HEADING, "", *table(("fact", "value"), [(key, _text(entry)) for key, entry in facts]), "")
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; what would end a cell is written otherwise."""
    lines = (header, ("---",) * len(header), *rows)
    return [f"| {' | '.join(map(_cell, line))} |" for line in lines]


def _figure_name(figure: str, evaluation: Evaluation) -> str:
    return f"precision among the top {evaluation.k}" if figure == "precision_at_k" else _words(figure)


def _interval(interval: Interval) -> tuple[str, str]:
    return number(interval.value), f"{number(interval.low)} to {number(interval.high)}"


def number(figure: float) -> str:
    """The figure with three decimals, or as a power of ten where these would be none."""
    if not math.isfinite(figure):
        return "not defined"
    # A Brier score of rare frauds begins in the fourth decimal.
    return f"{figure:.3f}" if abs(figure) >= 0.001 or not figure else f"{figure:.1e}"  # noqa: PLR2004


def _text(entry: str | float) -> str:
    return f"{entry:,.4g}" if isinstance(entry, float) else f"{entry:,}" if isinstance(entry, int) else entry


def _cell(text: str) -> str:
    # A line break or a bar would end it.
    return " ".join(text.replace("|", "\\|").split())


def _words(name: str) -> str:
    return {"f1": "F1", "roc_auc": "ROC AUC", "brier": "Brier score"}.get(name, name.replace("_", " "))
