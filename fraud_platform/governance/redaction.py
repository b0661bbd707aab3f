"""Keeps card numbers out of logs and errors: whatever a library or a person writes, the number does not come along.

Finding them is the business of `pan_guard`; keeping them out of tables is that of ingestion.
"""

import logging
import traceback
from typing import Any

from fraud_platform.errors import PlatformError
from fraud_platform.governance.pan_guard import holds_card_number, mask_card_numbers


class CardNumberFilter(logging.Filter):
    """Masks the card numbers of every record it sees, in the message, its arguments and its traceback; drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True, once `record` names no card number any more."""
        redact(record)
        return True


def redact_all_logs() -> None:
    """Makes every logger of this process, Dagster's and those of libraries included, write masked records.

    Records are masked as they are made: no logger, handler or propagation can go round it. Doing it again changes
    nothing.
    """
    make_record = logging.getLogRecordFactory()
    if getattr(make_record, "masks_card_numbers", False):
        return

    def make_masked_record(*arguments: Any, **keywords: Any) -> logging.LogRecord:
        record = make_record(*arguments, **keywords)
        redact(record)
        return record

    make_masked_record.masks_card_numbers = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_masked_record)


def redact(record: logging.LogRecord) -> None:
    """Masks the card numbers in `record`; one without any stays as it is."""
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Arguments that do not fit the message would be printed raw by whoever handles the mistake.
        message = f"{record.msg} {record.args}"
    if holds_card_number(message):
        record.msg, record.args = mask_card_numbers(message), None
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if holds_card_number(text):
            # Formatters print this text; without the exception nobody can format it anew.
            record.exc_text, record.exc_info = mask_card_numbers(text), None
    if record.stack_info and holds_card_number(record.stack_info):
        record.stack_info = mask_card_numbers(record.stack_info)


def without_card_numbers(error: Exception) -> Exception:
    """`error` itself, unless it or what caused it names a card number: then one that says the same without it."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if not any(holds_card_number(f"{each} {each!r}") for each in causes):
        return error
    text = mask_card_numbers(str(error))
    if isinstance(error, PlatformError):
        return type(error)(text)
    return OSError(text) if isinstance(error, OSError) else RuntimeError(f"{type(error).__name__}: {text}")
