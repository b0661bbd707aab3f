"""Whether a stored bundle loads and scores in a process that has never seen it.

What it should score does not belong here: gates and comparisons judge that. Run as a program, it is the fresh process.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from fraud_platform.errors import ModelError, PlatformError

ROW_COUNT = 64
# Importing every model library takes seconds on a slow disk; more is a hang.
TIMEOUT_SECONDS = 180.0


@dataclass(frozen=True)
class SmokeTest:
    """What a bundle said of made-up rows in a fresh process.

    Attributes:
        row_count: rows it scored.
        lowest, highest: probabilities it gave.
    """

    row_count: int
    lowest: float
    highest: float

    @property
    def sentence(self) -> str:
        """The result in words."""
        return f"{self.row_count} rows scored in a fresh process, probabilities {self.lowest:.4f} to {self.highest:.4f}"


def smoke_test(data: bytes, digest: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> SmokeTest:
    """What the bundle in `data`, registered with `digest`, says in a fresh Python process.

    Raises:
        ModelError: it cannot be loaded there, fails, hangs, or gives something that is no probability.
    """
    program = [sys.executable, "-m", "fraud_platform.registry.smoke_test", digest]
    try:
        # No shell, and nothing of the command comes from outside.
        done = subprocess.run(  # noqa: S603
            program, input=data, capture_output=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"the stored bundle gave no answer within {timeout_seconds:g} s; train again") from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ModelError(f"the stored bundle does not load and score: {lines[-1] if lines else 'the process died'}")
    return SmokeTest(**json.loads(done.stdout.splitlines()[-1]))


def _score_made_up_rows(data: bytes, digest: str) -> dict[str, Any]:
    from fraud_platform.training.bundle import ModelBundle

    bundle = ModelBundle.from_bytes(data, expected_digest=digest, threads=1)
    rows = np.random.default_rng(0).normal(size=(ROW_COUNT, len(bundle.feature_names))).astype(np.float32)
    probabilities = bundle.predict(rows)
    is_probability = np.isfinite(probabilities) & (probabilities >= 0) & (probabilities <= 1)
    if len(probabilities) != ROW_COUNT or not is_probability.all():
        raise ModelError(f"{ROW_COUNT - int(is_probability.sum())} of {ROW_COUNT} answers are no probability")
    lowest, highest = float(probabilities.min()), float(probabilities.max())
    return {"row_count": ROW_COUNT, "lowest": lowest, "highest": highest}


if __name__ == "__main__":
    try:
        answer = _score_made_up_rows(sys.stdin.buffer.read(), sys.argv[1])
    except PlatformError as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(json.dumps(answer) + "\n")
