"""Ends a code location that can no longer look after its runs: whoever keeps it up starts it again.

A thread of Dagster's code server finds out runs whose process has gone. An error ends that thread for good, PostgreSQL
out of reach at the wrong moment, for one. Every later run that dies would then count as at work for hours, and hold
back the days behind it. Asking whether a run is at work belongs to `production`.
"""

import logging
import os
import threading

from fraud_platform.logs import event_record

_log = logging.getLogger(__name__)

# As Dagster calls it (dagster._grpc.server); no other process has a thread of this name.
WATCH = "grpc-server-cleanup"


def end_with_the_watch() -> None:
    """Lets this process end when the thread ends that looks after its runs; other threads end alone, as ever."""
    threading.excepthook = _look


def _look(ended: threading.ExceptHookArgs) -> None:
    if ended.thread is None or ended.thread.name != WATCH:
        threading.__excepthook__(ended)
        return
    _log.critical(
        "the thread that looks after runs has ended, and the code location with it, to be started again: %s: %s",
        ended.exc_type.__name__,
        ended.exc_value,
        extra=event_record("process_failed"),
    )
    # Nothing is to be finished: runs that are at work are found out by the daemon and run again.
    os._exit(1)
