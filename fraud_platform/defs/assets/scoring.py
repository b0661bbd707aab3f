"""The decisions of the day, and why each alert was raised."""

from datetime import UTC, date, datetime
from time import perf_counter

import dagster as dg
import pandas as pd

from fraud_platform.defs.assets.ingestion import DAILY_FRESHNESS
from fraud_platform.defs.daily_asset import Input, daily_asset
from fraud_platform.defs.io_managers import DescribedTable
from fraud_platform.defs.metadata import table_metadata
from fraud_platform.defs.resources import Platform


@daily_asset(
    inputs={"features": Input()},
    group_name="scoring",
    kinds={"pandas", "parquet"},
    io_manager_key="tables",
    freshness_policy=DAILY_FRESHNESS,
)
def daily_predictions(day: date, features: pd.DataFrame, platform: Platform) -> dg.Output:
    """Every transaction of the day with its fraud probability, decision, rank and, for alerts, the reasons.

    **Why it exists.** This is what the bank acts on. Analysts work down `rank`; `reasons` says which features moved the
    probability and by how much; `model_version` and `threshold` make each decision traceable.

    **What it does.** Scores with the champion *as of that day*, so a backfill of the past decides as the past would
    have. A day before the first champion is scored by the first one, and says so (`scored_in_hindsight`). A day whose
    ingestion gate failed is refused, also when it is scored in a run of its own. A challenger in shadow that day gives
    its probability beside, and decides nothing: where it cannot be loaded, the day is decided without it, and what it
    answered when the day was scored before is kept.
    """
    from fraud_platform.ingestion.gate import require_sound_day
    from fraud_platform.registry.champion import model_for_day
    from fraud_platform.scoring.schema import daily_predictions_schema
    from fraud_platform.scoring.scorer import count_alerts, profile_scores, score_day, with_kept_answers

    footer = platform.store.read_table_metadata("raw_transactions", day)
    require_sound_day(footer, max_share=platform.settings.max_quarantine_share)
    chosen = model_for_day(platform.registry, day)
    # The same bytes scored by the same model again are the same decision, made when it was first made.
    same = {"model_version": chosen.version.version, "data_version": footer["data_version"]}
    scored_at = platform.time_of_decision(day, same) or datetime.now(UTC)
    shadow = platform.challenger_of(day)
    answers, answered = platform.kept_answers(day, shadow.absent, footer["data_version"]) or (None, None)
    bundle = platform.registry.load(chosen.version)
    began = perf_counter()
    predictions = score_day(
        features,
        bundle,
        chosen.version.version,
        scored_at=scored_at,
        reason_count=platform.settings.reasons_per_alert,
        challenger=shadow.challenger,
    )
    predictions = with_kept_answers(predictions, answers)
    scoring_seconds = perf_counter() - began
    origin = {"data_origin": footer["origin"], "model_origin": chosen.version.origin}
    return dg.Output(
        DescribedTable(
            predictions,
            {
                "profile": profile_scores(predictions).to_text(),
                "scored_at": scored_at.isoformat(),
                **shadow.as_footer(answered),
                **same,
                **origin,
            },
        ),
        metadata={
            **table_metadata(predictions, daily_predictions_schema()),
            **count_alerts(predictions),
            "scoring_seconds": scoring_seconds,
            **chosen.as_metadata(),
            **shadow.as_metadata(answered),
            "data_version": footer["data_version"],
            **origin,
        },
    )


@daily_asset(
    inputs={
        "daily_predictions": Input(
            columns=("transaction_id", "fraud_probability", "prediction", "rank", "model_version")
        )
    },
    group_name="scoring",
    kinds={"pandas", "parquet"},
    io_manager_key="tables",
)
def review_queue(day: date, daily_predictions: pd.DataFrame, platform: Platform) -> dg.Output:
    """What analysts look at: the day's alerts, and a random sample of the transactions below the threshold.

    **Why it exists.** Labels of alerts alone can say how many alerts were wrong, never how many frauds were missed.
    `FRAUD_REVIEW_SAMPLE_SIZE` transactions that nobody would have looked at are labelled like the alerts.

    **What it does.** Takes every alert, and below the threshold the transactions with the smallest seeded hash, so that
    anybody can draw the same sample again. `inclusion_probability` says for how many transactions a label stands. The
    decisions themselves are not touched.
    """
    from fraud_platform.scoring.review_queue import RANDOM, review_queue_schema
    from fraud_platform.scoring.review_queue import review_queue as queue_of

    settings = platform.settings
    queue = queue_of(daily_predictions, day, sample_size=settings.review_sample_size, seed=settings.seed)
    return dg.Output(
        DescribedTable(queue),
        metadata={
            **table_metadata(queue, review_queue_schema()),
            "random": int((queue["why"] == RANDOM).sum()),
            "seed": settings.seed,
        },
    )
