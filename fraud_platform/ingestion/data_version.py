"""Which bytes a day's table was made of, and what its footer says once transactions have been erased from it.

Erasing rows does not belong here, nor does reading files.
"""

import json
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from fraud_platform.ingestion.schema import LABEL_COLUMN
from fraud_platform.storage import canonical_json, sha256


def data_version_of(files: Sequence[tuple[str, str]], erased: Collection[str] = ()) -> str:
    """The digest over the names and digests of landed files and over the pseudonyms of what was erased from them."""
    landed = [list(file) for file in files]
    return sha256(canonical_json({"files": landed, "erased": sorted(erased)} if erased else landed))


def erased_data_version(footer: Mapping[str, str], pseudonyms: Collection[str]) -> str:
    """The data version of the raw table with `footer` once these transactions are gone from it, too."""
    files = [(file["name"], file["sha256"]) for file in json.loads(footer["files"])]
    return data_version_of(files, _erased(footer) | set(pseudonyms))


def erased_footer(remaining: pd.DataFrame, footer: Mapping[str, str], pseudonyms: Collection[str]) -> dict[str, str]:
    """The footer of a raw table from which transactions have been erased: what a new ingestion would write.

    Args:
        remaining: the rows that are left.
        footer: what `IngestionSummary.as_metadata` wrote about all of them.
        pseudonyms: of the transactions that have gone.
    """
    labels = remaining[LABEL_COLUMN]
    gone = int(footer["row_count"]) - len(remaining)
    return {
        **footer,
        "data_version": erased_data_version(footer, pseudonyms),
        "row_count": str(len(remaining)),
        "erased_count": str(int(footer.get("erased_count", "0")) + gone),
        "erased": json.dumps(sorted(_erased(footer) | set(pseudonyms))),
        "fraud_count": str(int(labels.sum())) if labels.notna().any() else "",
    }


def _erased(footer: Mapping[str, str]) -> set[str]:
    return set(json.loads(footer.get("erased", "[]")))
