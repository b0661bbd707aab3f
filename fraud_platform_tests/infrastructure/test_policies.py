"""The evaluator decides as AWS's documentation says: explicit deny, then allow, and otherwise no."""

from typing import Any

import pytest

from fraud_platform_tests.infrastructure.policies import Request, is_allowed, is_denied

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/b/*"}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", "arn:aws:s3:::a/b/c", True),
        # Actions are compared without regard to case, resources with it.
        ("S3:getobject", "arn:aws:s3:::a/b/c", True),
        ("s3:GetObject", "arn:aws:s3:::a/B/c", False),
        ("s3:GetObjectVersion", "arn:aws:s3:::a/b/c", False),
        # A star crosses slashes.
        ("s3:GetObject", "arn:aws:s3:::a/b/c/d", True),
        # A dot is a dot.
        ("s3:GetObject", "arn:aws:s3:::a-b/c", False),
    ],
)
def test_an_allowed_action_on_an_allowed_resource_is_allowed(action: str, resource: str, expected: bool) -> None:
    assert is_allowed(Request(action, resource), [_document(READ)]) is expected


def test_what_nobody_allows_is_denied_and_a_deny_beats_every_allow() -> None:
    request = Request("s3:GetObject", "arn:aws:s3:::a/b/c")
    deny = {**READ, "Effect": "Deny"}
    assert not is_allowed(request, [])
    assert not is_allowed(request, [_document(READ), _document(deny)])
    assert is_denied(request, _document(deny))


@pytest.mark.parametrize(
    ("operator", "values", "context", "expected"),
    [
        ("StringEquals", ["x"], {"k": "x"}, True),
        ("StringEquals", ["x"], {"k": "y"}, False),
        # A key that is not sent equals nothing, and is unequal to everything.
        ("StringEquals", ["x"], {}, False),
        ("StringNotEquals", ["x"], {}, True),
        ("StringLike", ["x/*"], {"k": "x/y"}, True),
        ("Null", ["true"], {}, True),
        ("Null", ["false"], {}, False),
        ("Bool", ["false"], {"k": "false"}, True),
        ("NumericLessThan", ["1.2"], {"k": "1.1"}, True),
        ("NumericLessThan", ["1.2"], {"k": "1.2"}, False),
        # Keys have no case.
        ("StringEquals", ["x"], {"K": "x"}, True),
    ],
)
def test_a_condition_holds_as_documented(
    operator: str, values: list[str], context: dict[str, str], expected: bool
) -> None:
    document = _document({**READ, "Condition": {operator: {"k": values}}})
    assert is_allowed(Request("s3:GetObject", "arn:aws:s3:::a/b/c", context), [document]) is expected


def test_every_condition_must_hold() -> None:
    document = _document({**READ, "Condition": {"StringEquals": {"k": "x", "l": "y"}, "Bool": {"m": "true"}}})
    request = Request("s3:GetObject", "arn:aws:s3:::a/b/c", {"k": "x", "l": "y", "m": "true"})
    assert is_allowed(request, [document])
    for missing in request.context:
        fewer = {key: value for key, value in request.context.items() if key != missing}
        assert not is_allowed(Request(request.action, request.resource, fewer), [document])


@pytest.mark.parametrize("statement", [{**READ, "Condition": {"IpAddress": {"k": "x"}}}, {**READ, "NotAction": "s3:*"}])
def test_what_the_evaluator_does_not_know_is_an_error_and_no_guess(statement: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="does not know"):
        is_allowed(Request("s3:GetObject", "arn:aws:s3:::a/b/c", {"k": "x"}), [_document(statement)])
