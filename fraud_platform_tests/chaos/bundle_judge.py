"""A process that loads bundles and lets them score: whatever a damaged model file does, it does to this process.

Asked by a line of base64, it answers a line of JSON: {"refused": message}, or {"answers": probabilities}. It dies where
a library does, which is what the test wants to know.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from fraud_platform_tests.chaos.fuzzing import DEADLINE_SECONDS


class BundleJudge:
    """The client's side; a judge that has died is replaced."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def judge(self, data: bytes) -> Mapping[str, Any]:
        """What became of loading `data` and scoring with it; `{"died": ...}` where the process did not survive."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        alarm = threading.Timer(DEADLINE_SECONDS, process.kill)
        try:
            process.stdin.write(base64.b64encode(data).decode() + "\n")
            process.stdin.flush()
            alarm.start()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            alarm.cancel()
        if answer:
            found: Mapping[str, Any] = json.loads(answer)
            return found
        self.close()
        return {"died": process.returncode}

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _serve() -> None:
    import numpy as np

    from fraud_platform.errors import PlatformError
    from fraud_platform.training.bundle import ModelBundle

    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            bundle = ModelBundle.from_bytes(base64.b64decode(line), threads=1)
            rows = np.random.default_rng(0).normal(size=(5, len(bundle.feature_names))).astype(np.float32)
            answer: dict[str, Any] = {"answers": [repr(float(each)) for each in bundle.predict(rows)]}
        except PlatformError as error:
            answer = {"refused": str(error)}
        except Exception as error:  # noqa: BLE001 - the test is told of it
            answer = {"raised": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
