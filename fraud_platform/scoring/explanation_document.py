"""An explained decision in words: Markdown for the terminal and, with its picture inside, a page to be sent and kept.

Nothing is computed here; the picture is drawn in `waterfall`.
"""

from fraud_platform.registry.card_page import as_picture, card_page
from fraud_platform.registry.model_card import table
from fraud_platform.scoring.counterfactuals import Change, Counterfactual
from fraud_platform.scoring.explained_decision import ExplainedDecision
from fraud_platform.scoring.waterfall import plot_waterfall

_SIMULATED = "**SIMULATED DATA: this decision is about a made-up transaction, or of a model that learned from such.**"

_LIMITS = (
    "This is about the model, not about the person: it says what moved this probability, not what caused a fraud.",
    "`V1` to `V28` are anonymised components; which of a customer's doings stand behind one, the platform cannot say.",
    "A feature's part is its exact tree SHAP value (for a linear model: weight times distance from the mean) in "
    "log-odds, calibration and every member of an ensemble included, scaled to probability by one factor for the row.",
)


def explanation_page(explained: ExplainedDecision) -> str:
    """The explanation as one HTML file with its picture inside."""
    shown = f"![What led to the probability](data:image/png;base64,{as_picture(plot_waterfall(explained))})"
    return card_page(f"Decision about {explained.record.transaction_id}", explanation_markdown(explained, shown), {})


def explanation_markdown(explained: ExplainedDecision, picture: str = "") -> str:
    """The explanation as Markdown, `picture` (an image in Markdown) below the verdict."""
    record = explained.record
    verdict, side = ("Alert", "at or above") if record.is_alert else ("No alert", "below")
    notes = [_SIMULATED, ""] if explained.is_simulated else []
    return "\n".join(
        (
            f"# Decision about transaction {_code(record.transaction_id)}",
            "",
            *notes,
            f"**{verdict}**: fraud probability {_number(record.probability)}, {side} the threshold "
            f"{_number(record.threshold)}.",
            "",
            *([picture, ""] if picture else []),
            "## What was decided, by what",
            "",
            *(f"- {name}: {fact}" for name, fact in _facts(explained)),
            "",
            _replay_sentence(explained),
            "",
            "## Why",
            "",
            f"Every transaction starts from {_number(explained.start)}, the calibrated probability at the model's mean "
            f"log-odds. The {len(explained.reasons)} contributions below lead from there to "
            f"{_number(explained.replayed)}.",
            "",
            *table(
                ("feature", "value", "contribution", "speaks"),
                [
                    (each.feature, f"{each.value:.6g}", f"{each.contribution:+.6f}", _direction(each.contribution))
                    for each in explained.reasons
                ],
            ),
            "",
            "## What would have changed the decision",
            "",
            *_counterfactual(explained.counterfactual, is_alert=explained.replayed >= record.threshold),
            "",
            "## How to read this",
            "",
            *(f"- {limit}" for limit in _LIMITS),
            "",
        )
    )


def _facts(explained: ExplainedDecision) -> list[tuple[str, str]]:
    record, version = explained.record, explained.version
    return [
        ("transaction of", f"{record.event_time:%Y-%m-%d %H:%M:%S} UTC"),
        ("decided at", f"{record.scored_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("place in the day's work list", f"{record.rank:,} of {record.decided_count:,}"),
        ("model", f"{version.semver} (version {version.version}, {version.algorithm}, as of {version.as_of})"),
        ("model digest", _code(version.digest)),
        ("threshold", f"{record.threshold!r} ({explained.threshold_policy.replace('_', ' ')})"),
        ("data version", _code(record.data_version)),
        ("probability as recorded", repr(record.probability)),
        ("probability replayed", repr(explained.replayed)),
    ]


def _replay_sentence(explained: ExplainedDecision) -> str:
    record = explained.record
    source = f"from {_code(record.feature_source)} of {record.day}"
    if explained.is_replayed:
        return f"Replayed {source} by the same model: the same number, bit for bit."
    sentence = (
        f"**Replayed {source} by the same model, the number is another one**, off by "
        f"{explained.replayed - record.probability:+.3g}; the reasons below explain the replayed one."
    )
    if record.feature_version != record.data_version:
        return f"{sentence} The table was made again since, of other data: {_code(record.feature_version)}."
    return f"{sentence} The data are the same: the table, or a library that computes, has changed since."


def _counterfactual(found: Counterfactual, *, is_alert: bool) -> list[str]:
    other = "not have been alerted" if is_alert else "have been alerted"
    where = "towards what is typical of the training rows" if is_alert else "within what training rows had"
    if not found.changes:
        return [
            f"Nothing that was tried: with all of {found.tried} quantities moved {where}, the model decides the same."
        ]
    if len(found.changes) == 1:
        tried = f"the nearest value {where} of any single one of {found.tried} quantities"
    else:
        tried = f"no single one of {found.tried} quantities turns the decision {where}; these together do"
    return [
        f"With {_one_or_many(found.changes)}, all else as it was, the transaction would {other}: probability "
        f"{_number(found.probability)} ({tried}).",
        "",
        *table(
            ("quantity", "was", "would be"),
            [(change.quantity, f"{change.was:.6g}", f"{change.becomes:.9g}") for change in found.changes],
        ),
        "",
        "That is a statement about the model's decision, not advice: it does not say that anybody could or should "
        "change these values, nor what the transaction then would have been.",
    ]


def _one_or_many(changes: tuple[Change, ...]) -> str:
    return "this one value" if len(changes) == 1 else f"these {len(changes)} values"


def _direction(contribution: float) -> str:
    if contribution == 0:
        return "neither way"
    return "for fraud" if contribution > 0 else "against"


def _number(probability: float) -> str:
    return f"{probability:.6g}"


def _code(text: str) -> str:
    """`text`, which somebody else has typed, as it is: no Markdown in it, and no cell of a table ended."""
    clean = "".join(letter for letter in text if letter.isprintable()).replace("|", "/")
    fence = "``" if "`" in clean else "`"
    return f"{fence} {clean} {fence}" if "`" in clean else f"{fence}{clean}{fence}"
