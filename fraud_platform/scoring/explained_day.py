"""Every decision of a day explained: each feature's part in each probability, in one Parquet file, in bounded memory.

One decision on request belongs to `explained_decision`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from upath import UPath

from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.features.engineering import RAW_COLUMNS, build_features
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.ingestion.schema import ID_COLUMN
from fraud_platform.registry.registry import ModelVersion
from fraud_platform.scoring.decision_record import DECISIONS, FEATURES, RAW, require_scored
from fraud_platform.scoring.explanations import explain_probabilities
from fraud_platform.storage import written_in_parts
from fraud_platform.training.dataset import feature_matrix

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fraud_platform.training.bundle import ModelBundle

CONTRIBUTION_PREFIX = "contribution_"
# A day's rows pass through memory in parts of some 20 MB; each is a row group of the file.
CHUNK_ROWS = 16_384
_DECIDED = (ID_COLUMN, "fraud_probability", "prediction", "threshold", "model_version")


@dataclass(frozen=True)
class ScoredDay:
    """A day whose decisions can be explained.

    Attributes:
        day: which.
        row_count: decisions.
        model_version: the registered version that made them.
        data_version: of the transactions they are about.
        source: the stored table to explain from: `features`, or `raw_transactions` where those are over age.
    """

    day: date
    row_count: int
    model_version: str
    data_version: str
    source: str


def scored_day(store: DayStore, day: date) -> ScoredDay:
    """What is stored of a day's decisions and of what they were made from.

    Raises:
        PlatformError: it was not scored, its features are gone, or they were made again since.
    """
    require_scored(store, day)
    footer = store.read_table_metadata(DECISIONS, day)
    sources = [name for name in (FEATURES, RAW) if store.exists(name, day, "parquet")]
    if not sources:
        raise PlatformError(f"neither {FEATURES} nor {RAW} of {day} are stored any more; nothing can be explained")
    found = store.read_table_metadata(sources[0], day)["data_version"]
    if found != footer["data_version"]:
        raise PlatformError(_remade(sources[0], day, f"of data {found} instead of {footer['data_version']}"))
    with store.open_table(DECISIONS, day) as file:
        rows = file.metadata.num_rows
    return ScoredDay(day, rows, footer["model_version"], footer["data_version"], sources[0])


def explain_day(
    store: DayStore,
    scored: ScoredDay,
    version: ModelVersion,
    bundle: "ModelBundle",
    output: UPath,
    *,
    advance: Callable[[int], object] = lambda rows: None,
) -> int:
    """Writes what each feature adds to each probability of the day; returns how many probabilities came out the same.

    The file has `transaction_id`, `fraud_probability`, `prediction`, `threshold` and `model_version` as decided, then
    `start`, the probability all rows start from, and `contribution_<feature>` for each feature: start and contributions
    add up to the probability. It appears whole or not at all. Its footer names the model's digest and the data version.

    Args:
        store: where decisions and features are.
        scored: the day.
        version: the model that decided.
        bundle: its bundle.
        output: the file.
        advance: called with the number of rows after each part.

    Raises:
        PlatformError: the features are no longer those of the decisions.
        OSError: the location cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {"day": scored.day.isoformat(), "bundle_sha256": version.digest, "data_version": scored.data_version}
    same = 0
    writer: pq.ParquetWriter | None = None
    with written_in_parts(output) as file:
        for decided, features in _parts(store, scored):
            part, same_here = _explained(decided, features, bundle, scored.row_count)
            same += same_here
            if writer is None:
                schema = part.schema.with_metadata(facts)
                floats = [field.name for field in schema if pa.types.is_floating(field.type)]
                others = [field.name for field in schema if not pa.types.is_floating(field.type)]
                writer = pq.ParquetWriter(
                    file, schema, compression="zstd", use_dictionary=others, use_byte_stream_split=floats
                )
            writer.write_table(part)
            advance(len(decided))
        if writer is None:
            raise PlatformError(f"{scored.day} has no transactions to explain")
        writer.close()
    return same


def _parts(store: DayStore, scored: ScoredDay) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """The decisions of the day in parts, each beside its features."""
    columns = [ID_COLUMN, *(FEATURE_NAMES if scored.source == FEATURES else RAW_COLUMNS)]
    with store.open_table(DECISIONS, scored.day) as decisions, store.open_table(scored.source, scored.day) as given:
        if given.metadata.num_rows != scored.row_count:
            raise PlatformError(_remade(scored.source, scored.day, "with other transactions"))
        pairs = zip(_batches(decisions, list(_DECIDED)), _batches(given, columns), strict=True)
        for decided, table in pairs:
            if not decided[ID_COLUMN].equals(table[ID_COLUMN]):
                raise PlatformError(_remade(scored.source, scored.day, "in another order"))
            yield decided, table if scored.source == FEATURES else build_features(table)


def _batches(file: "pq.ParquetFile", columns: list[str]) -> Iterator[pd.DataFrame]:
    for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=columns):
        yield batch.to_pandas()


def _explained(
    decided: pd.DataFrame, features: pd.DataFrame, bundle: "ModelBundle", row_total: int
) -> "tuple[pa.Table, int]":
    """The part of the file about these decisions, and how many of their probabilities came out the same."""
    import pyarrow as pa

    # First the bundle: one made for other features says so.
    probabilities = bundle.predict(features)
    matrix = feature_matrix(features, bundle.feature_names)
    contributions, start = explain_probabilities(matrix, probabilities, bundle, row_total)
    columns = {name: pa.array(decided[name]) for name in _DECIDED}
    columns["start"] = pa.array(np.full(len(decided), start))
    columns |= {
        CONTRIBUTION_PREFIX + name: pa.array(np.ascontiguousarray(contributions[:, place]))
        for place, name in enumerate(bundle.feature_names)
    }
    return pa.table(columns), int(np.count_nonzero(probabilities == decided["fraud_probability"].to_numpy()))


def _remade(source: str, day: date, how: str) -> str:
    return f"{source} of {day} were made again since it was scored, {how}; score the day again, then explain it"
