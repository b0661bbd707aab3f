"""Decides what IAM policy documents allow, by the rules of AWS's evaluation logic for one account.

An explicit deny beats every allow, and what nobody allows is denied. Only the condition operators that the project
uses are known; another one is an error, not a guess. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One call: `s3:GetObject` on an ARN, with the condition keys AWS would send along."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def is_allowed(request: Request, documents: Iterable[Document]) -> bool:
    """Whether identity policies with these documents let the request through."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in statements(document)
        if _is_about(request, statement)
    }
    return "Allow" in effects and "Deny" not in effects


def is_denied(request: Request, document: Document) -> bool:
    """Whether a resource's policy refuses the request whatever else allows it."""
    return any(statement["Effect"] == "Deny" and _is_about(request, statement) for statement in statements(document))


def statements(document: Document) -> list[dict[str, Any]]:
    """The statements of a document, also where it has only one."""
    return list(_listed(document["Statement"]))


def actions(document: Document) -> Iterator[str]:
    """Every action a document allows, as it is written."""
    for statement in statements(document):
        if statement["Effect"] == "Allow":
            yield from _listed(statement["Action"])


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _is_about(request: Request, statement: Mapping[str, Any]) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    assert not unknown, f"this evaluator does not know {unknown}"
    return (
        any(_matches(pattern.lower(), request.action.lower()) for pattern in _listed(statement["Action"]))
        and any(_matches(pattern, request.resource) for pattern in _listed(statement["Resource"]))
        and all(
            _holds(operator, key, _listed(values), request.context)
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        )
    )


def _matches(pattern: str, text: str) -> bool:
    translated = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(translated, text, re.DOTALL) is not None


def _holds(operator: str, key: str, values: Sequence[str], context: Mapping[str, str]) -> bool:
    actual = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return (actual is None) == (values[0] == "true")
    if operator in ("StringNotEquals", "ArnNotEquals"):
        # What is not there is not equal to anything.
        return actual is None or actual not in values
    if actual is None:
        return False
    if operator in ("StringEquals", "Bool"):
        return actual in values
    if operator in ("StringLike", "ArnLike", "ArnEquals"):
        return any(_matches(value, actual) for value in values)
    if operator == "NumericLessThan":
        return float(actual) < float(values[0])
    raise AssertionError(f"this evaluator does not know the operator {operator}")
