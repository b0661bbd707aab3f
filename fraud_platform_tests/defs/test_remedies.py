"""What refuses is told in one line with what to do about it; `test_doctor` has the answers of real servers."""

import logging

import pytest
from botocore.exceptions import ClientError
from dagster_postgres.utils import DagsterPostgresException
from s3fs.errors import translate_boto_error
from sqlalchemy.exc import OperationalError

from fraud_platform.defs.remedies import first_line, in_one_line, remedy_for, said_by_driver, told_in_one_line
from fraud_platform.errors import PlatformError


def test_what_a_sensor_cannot_read_is_one_line_in_its_log_and_its_error(caplog):
    refusal = translate_boto_error(ClientError({"Error": {"Code": "AccessDenied", "Message": "No"}}, "ListObjectsV2"))
    expected = "landing zone s3://bank/landing: No; let this account s3:ListBucket on the bucket"
    with (
        pytest.raises(PlatformError) as told,
        told_in_one_line(logging.getLogger("x"), "landing zone s3://bank/landing"),
    ):
        raise refusal
    assert str(told.value).startswith(expected)
    (record,) = caplog.records
    assert record.getMessage() == str(told.value)
    assert record.event == "storage_refused"


def test_a_refusal_without_text_is_told_as_what_it_may_be():
    # What S3 answers to HEAD with an expired token: a status and no body.
    refusal = translate_boto_error(ClientError({"Error": {"Code": "400", "Message": "Bad Request"}}, "HeadObject"))
    remedy = remedy_for(refusal)
    assert remedy is not None
    assert remedy.startswith("renew the credential")
    assert remedy.endswith("if it has expired; `fraud-platform doctor` tells")


def test_mistakes_in_the_code_stay_what_they_are(caplog):
    with pytest.raises(KeyError), told_in_one_line(logging.getLogger("x"), "landing zone"):
        raise KeyError("day")
    assert caplog.records == []


def test_a_line_holds_the_first_of_the_error_without_passwords():
    assert first_line(OSError("no way to s3://key:s3cr3t@bank\nmore")) == "no way to s3://key:****@bank"
    assert first_line(TimeoutError()) == "TimeoutError"
    assert in_one_line(OSError("down"), "start it") == "down; start it"
    assert in_one_line(PlatformError("down; start it"), "or not") == "down; start it"


def test_dagster_that_counts_its_tries_is_told_in_the_words_of_the_driver():
    driver = OSError("FATAL: sorry, too many clients already")
    error = DagsterPostgresException("too many retries for DB connection")
    error.__cause__ = OperationalError("connect", {}, driver)
    assert first_line(said_by_driver(error)) == str(driver)
    assert remedy_for(error) == "end who holds connections without need, or raise max_connections of PostgreSQL"
    assert said_by_driver(driver) is driver
