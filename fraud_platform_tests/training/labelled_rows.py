"""Labelled rows to train on in tests: 32 features of which a few tell frauds apart."""

import numpy as np
import pandas as pd

from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.training.dataset import LabelledRows


def make_rows(count: int = 1500, fraud_count: int = 60, seed: int = 0) -> LabelledRows:
    generator = np.random.default_rng(seed)
    labels = np.zeros(count, np.int8)
    labels[generator.choice(count, fraud_count, replace=False)] = 1
    features = generator.normal(size=(count, len(FEATURE_NAMES))).astype(np.float32)
    features[:, :3] += 2.0 * labels[:, None]
    ids = np.array([f"t{number:06d}" for number in range(count)], dtype=object)
    days = np.full(count, np.datetime64("2026-01-01"))
    return LabelledRows(features, labels, np.abs(features[:, 28]) * 100.0, ids, days, np.arange(count) + 10_000 * seed)


def make_baseline(rows: LabelledRows) -> Profile:
    return profile_table(pd.DataFrame(rows.features, columns=list(FEATURE_NAMES)), FEATURE_NAMES)
