"""No log record and no error carries a card number on, whoever wrote it and however it is formatted."""

import io
import logging
from collections.abc import Iterator

import pytest

from fraud_platform.errors import DataError, PlatformError
from fraud_platform.governance.redaction import CardNumberFilter, redact_all_logs, without_card_numbers
from fraud_platform_tests.bad_files import CARD

GROUPED = "4111 1111 1111 1111"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a logger of some library writes once all logs are redacted; the process is as before afterwards."""
    factory = logging.getLogRecordFactory()
    redact_all_logs()
    logger, text = logging.getLogger("some.library"), io.StringIO()
    handler = logging.StreamHandler(text)
    logger.addHandler(handler)
    yield text
    logger.removeHandler(handler)
    logging.setLogRecordFactory(factory)


LOG = logging.getLogger("some.library")


@pytest.mark.parametrize(
    "write",
    [
        lambda: LOG.error(f"card {CARD}"),
        lambda: LOG.error("card %s", CARD),
        lambda: LOG.error("card %d", int(CARD)),
        lambda: LOG.error("card %(number)s", {"number": GROUPED}),
        lambda: LOG.error({"card": GROUPED}),
        lambda: LOG.error("too few places", CARD),  # noqa: PLE1205 - the mistake is the case
        lambda: LOG.error("a traceback", exc_info=ValueError(f"cannot convert {CARD}")),
        lambda: LOG.error("a cause", exc_info=_caused_by(ValueError(CARD))),
    ],
)
def test_a_record_is_masked_however_the_number_got_into_it(written, capfd, write):
    write()
    everything = written.getvalue() + "".join(capfd.readouterr())
    assert "[card number]" in everything
    assert "4111" not in everything


def _caused_by(cause: Exception) -> Exception:
    error = RuntimeError("something else")
    error.__cause__ = cause
    return error


def test_other_records_stay_as_they_are(written):
    LOG.error("day %s of run %s", "2026-01-02", "d41d8cd9-8f00-4204-a980-0998ecf8427e", exc_info=ValueError("x"))
    assert written.getvalue().startswith("day 2026-01-02 of run d41d8cd9-8f00-4204-a980-0998ecf8427e\n")
    assert "ValueError: x" in written.getvalue()


def test_redacting_twice_is_redacting_once(written):
    factory = logging.getLogRecordFactory()
    redact_all_logs()
    assert logging.getLogRecordFactory() is factory


def test_the_filter_does_the_same_for_one_handler():
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "card %s", (CARD,), None)
    assert CardNumberFilter().filter(record)
    assert record.getMessage() == "card [card number]"


def test_an_error_without_a_number_stays_itself():
    error = DataError("2026-01-02: no file")
    assert without_card_numbers(error) is error


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (DataError(f"file {CARD}.csv"), DataError, "file [card number].csv"),
        (FileNotFoundError(2, "No such file", f"/x/{CARD}.csv"), OSError, "/x/[card number].csv"),
        (KeyError(CARD), RuntimeError, "KeyError: '[card number]'"),
        (_caused_by(ValueError(CARD)), RuntimeError, "RuntimeError: something else"),
    ],
)
def test_an_error_with_a_number_is_replaced_by_one_that_says_the_same_without_it(error, kind, said):
    clean = without_card_numbers(error)
    assert type(clean) is kind
    assert said in str(clean)
    assert CARD not in f"{clean!r} {clean.__cause__!r} {clean.__context__!r}"
    assert isinstance(clean, PlatformError) == isinstance(error, PlatformError)


def test_dagsters_loggers_are_redacted_and_its_event_log_stays_clean(written, tmp_path, capfd):
    import dagster as dg

    @dg.op
    def speak(context: dg.OpExecutionContext) -> None:
        context.log.info(f"card {CARD}")
        context.log.error("card %s", GROUPED)

    @dg.job
    def speaking() -> None:
        speak()

    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        assert speaking.execute_in_process(instance=instance).success
        messages = [record.user_message for record in instance.all_logs(instance.get_runs()[0].run_id)]
    assert [message for message in messages if "card" in message] == ["card [card number]"] * 2
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    everything = stored + "".join(capfd.readouterr()).encode()
    # Four digits alone turn up in identifiers and times, by chance.
    assert not any(spelling.encode() in everything for spelling in (CARD, GROUPED))
