"""What the platform's processes write to their logs: one line of JSON per record, or each library's own text.

Which formatter a handler has is decided here, for whoever adds the handler. What is worth a record belongs to the
rooms; what must never stand in one, to `governance.redaction`.

    {"timestamp": "...", "level": "INFO", "service": "code-location", "model_version": "3",
     "event": "prediction_complete", "run": "<Dagster's>", "partition": "2026-11-20", "message": "...", "alerts": 12}
"""

import json
import logging
import logging.config
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from fraud_platform.errors import PlatformError
from fraud_platform.governance.pan_guard import mask_card_numbers
from fraud_platform.governance.redaction import redact_all_logs
from fraud_platform.setting_fields import ReportingRules

# Where `event_record` puts what belongs to an event, and where Dagster puts what it knows about a record.
_FACTS, _DAGSTER = "facts", "dagster_meta"
_PARTITION_TAG = "dagster/partition"

_ROOMS = logging.getLogger("fraud_platform")

Scalar = str | int | float | bool | None


def event_record(event: str, **facts: Scalar) -> dict[str, Any]:
    """What `extra=` of a logging call takes so that the record is an event with figures and names of its own.

    Counts, versions, days and durations belong into `facts`; values of features and rows never do.
    """
    return {"event": event, _FACTS: facts}


class JsonLines(logging.Formatter):
    """A record as one line of JSON, the same keys first in every line, `null` where nothing is known."""

    def __init__(self, service: str):
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        facts: Mapping[str, Scalar] = getattr(record, _FACTS, {})
        known: Mapping[str, Any] = getattr(record, _DAGSTER, {})
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "model_version": facts.get("model_version"),
            "event": getattr(record, "event", None) or _event_of(known),
            "run": known.get("run_id"),
            "partition": facts.get("partition") or (known.get("job_tags") or {}).get(_PARTITION_TAG),
            "message": known.get("orig_message") or record.getMessage(),
            "logger": record.name,
        }
        if known.get("name"):
            line["sensor"] = known["name"]
        if known.get("step_key"):
            line["step"] = known["step_key"]
        if error := self._error_of(record, known):
            line["error"] = error
        # What is always there keeps its meaning, whatever a fact is called.
        line |= {name: fact for name, fact in facts.items() if name not in line}
        return json.dumps({name: _clean(value) for name, value in line.items()}, default=str)

    def _error_of(self, record: logging.LogRecord, known: Mapping[str, Any]) -> str:
        """The traceback of a record; Dagster writes that of a failed step behind the message."""
        if known.get("dagster_event") is not None:
            return record.getMessage().partition("\n\n")[2].strip()
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        return record.exc_text or ""


class _HouseLogger(logging.Logger):
    """A logger whose streams have the house's format and level, whoever adds them."""

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802 - logging's own name
        """Adds a handler, in the house's format."""
        _apply(hdlr)
        super().addHandler(hdlr)


class _HouseConfigurator(logging.config.DictConfigurator):
    """What `logging.config.dictConfig` does, Dagster's, uvicorn's and MLflow's included, in the house's format."""

    def configure(self) -> None:
        """Carries the configuration out."""
        super().configure()
        # Dagster sets structlog up before it comes here, and that chooses a class of loggers of its own.
        logging.setLoggerClass(_HouseLogger)

    def configure_handler(self, config: dict[str, Any]) -> Any:
        """A handler as it was asked for, in the house's format."""
        handler = super().configure_handler(config)
        _apply(handler)
        return handler


class _House:
    """The choice of this process; until it is made, handlers stay as they are."""

    formatter: logging.Formatter | None = None
    level: int = logging.NOTSET


def set_up_logs(settings: ReportingRules) -> None:
    """Gives every stream that this process logs to, now and later, the format and level of the settings.

    Card numbers are masked in either format. Doing it again with the same settings changes nothing.
    """
    redact_all_logs()
    _House.formatter = JsonLines(settings.service) if settings.log_format == "json" else None
    _House.level = logging.getLevelNamesMapping()[settings.log_level]
    _ROOMS.setLevel(_House.level)
    # The two places that the standard library offers to whoever wants a say in handlers that others make.
    logging.setLoggerClass(_HouseLogger)
    logging.config.dictConfigClass = _HouseConfigurator
    for handler in _known_handlers():
        _apply(handler)
    sys.excepthook = _log_last_error
    if _House.formatter is not None:
        _speak_for_the_process()


def _speak_for_the_process() -> None:
    """Lets the rooms, loggers without a handler and warnings write JSON, too."""
    if not _ROOMS.handlers:
        _ROOMS.addHandler(logging.StreamHandler())
        _apply(_ROOMS.handlers[0])
        _ROOMS.propagate = False
    root = logging.getLogger()
    if not root.handlers:
        # Without a handler, whoever calls `logging.warning` makes one. Of libraries people hear what is wrong.
        said_here = logging.StreamHandler()
        said_here.setLevel(logging.WARNING)
        said_here.addFilter(_is_said_by_nobody_else)
        _apply(said_here)
        root.addHandler(said_here)
    logging.captureWarnings(capture=True)


def _log_last_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Says what ends the process: one line where that is the whole explanation, else with the traceback."""
    explanation = _explanation_in(error)
    if explanation is None and (_House.formatter is None or issubclass(kind, KeyboardInterrupt)):
        sys.__excepthook__(kind, error, trace)
        return
    _ROOMS.critical(
        str(explanation or f"unexpected {kind.__name__}: {error}"),
        exc_info=None if explanation else (kind, error, trace),
        extra=event_record("process_failed"),
    )


def _explanation_in(error: BaseException | None) -> PlatformError | None:
    """The PlatformError among an error and its causes: Dagster wraps what is raised while it loads the graph."""
    while error is not None and not isinstance(error, PlatformError):
        error = error.__cause__ or error.__context__
    return error


def _is_said_by_nobody_else(record: logging.LogRecord) -> bool:
    """Whether none of the record's own loggers writes it to a stream already."""
    logger = logging.Logger.manager.loggerDict.get(record.name)
    while isinstance(logger, logging.Logger) and logger.parent is not None:
        if any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
            return False
        logger = logger.parent
    return True


def _known_handlers() -> list[logging.Handler]:
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    return [handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers]


def _apply(handler: logging.Handler) -> None:
    """The house's format and level for what writes to a stream; Dagster's event log and others keep theirs."""
    if not isinstance(handler, logging.StreamHandler):
        return
    if _House.formatter is not None:
        handler.setFormatter(_House.formatter)
    handler.setLevel(max(handler.level, _House.level))


def _event_of(known: Mapping[str, Any]) -> str:
    """What Dagster calls the event, in lower case; runs were once called pipelines."""
    event = known.get("dagster_event")
    return str(event.event_type_value).lower().replace("pipeline", "run") if event is not None else "log"


def _clean(value: Any) -> Any:
    return mask_card_numbers(value) if isinstance(value, str) else value
