"""The parts of Dagster used here that it still calls beta or preview, accepted on purpose.

They are: `backfill_policy`, partitioned asset checks, and dagster-mlflow. The Dagster family is pinned to one release
and tests run each of them, so a warning at every start would tell a user nothing.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def accepted_previews() -> Iterator[None]:
    """Keeps Dagster's beta and preview warnings quiet within the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield
