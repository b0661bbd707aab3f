"""Contracts of tables: the same verdict on a day alone and among many, in counts and never in values."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from fraud_platform.contracts import Contract, judge_days, judge_table
from fraud_platform.defs.checks import SCHEMAS

SCHEMA = pa.DataFrameSchema(
    {"transaction_id": pa.Column(str, unique=True), "Amount": pa.Column(np.float64, pa.Check.ge(0))},
    strict=True,
    ordered=True,
)
FIRST = date(2026, 1, 1)


def table_of(count: int, prefix: str = "t") -> pd.DataFrame:
    identifiers = pd.Series([f"{prefix}{row}" for row in range(count)], dtype=object)
    return pd.DataFrame({"transaction_id": identifiers, "Amount": np.ones(count)})


def judge_all(*tables: pd.DataFrame) -> list[Contract]:
    days = [FIRST + timedelta(days=position) for position in range(len(tables))]
    judged = list(judge_days(SCHEMA, zip(days, (table.copy() for table in tables), strict=True)))
    assert [day for day, _ in judged] == days
    return [contract for _, contract in judged]


def test_a_broken_rule_is_counted_and_its_values_stay_out():
    table = table_of(4)
    table.loc[1:2, "Amount"] = -12345.0
    contract = judge_table(SCHEMA, table)
    assert contract == Contract(4, {"Amount: greater_than_or_equal_to(0)": 2})
    assert "12345" not in str(contract)


def test_days_that_keep_the_contract_are_looked_at_once_and_a_large_one_by_itself(monkeypatch):
    looked_at = []
    validate = pa.DataFrameSchema.validate

    def counting(self, table, **options):
        looked_at.append(len(table))
        return validate(self, table, **options)

    monkeypatch.setattr(pa.DataFrameSchema, "validate", counting)
    judged = judge_all(table_of(3, "a"), table_of(0), table_of(2, "b"), table_of(20_000))
    assert judged == [Contract(3, {}), Contract(0, {}), Contract(2, {}), Contract(20_000, {})]
    assert looked_at == [5, 20_000]


@pytest.mark.parametrize(
    ("bad", "broken"),
    [
        # a value
        (table_of(3).assign(Amount=[1.0, -1.0, 1.0]), "Amount: greater_than_or_equal_to(0)"),
        # a type that joining would have made the right one
        (table_of(3).astype({"Amount": np.float32}), "Amount: dtype('float64')"),
        # a missing text, which is no type of its own
        (table_of(3).assign(transaction_id=["a", None, "b"]), "transaction_id: not_nullable"),
        # a column too few, one too many, and another order
        (table_of(3)[["transaction_id"]], "nan: column_in_dataframe"),
        (table_of(3).assign(card="x"), "nan: column_in_schema"),
        (table_of(3)[["Amount", "transaction_id"]], "nan: column_ordered"),
        # a repetition within the day
        (table_of(3).assign(transaction_id=["a", "b", "a"]), "transaction_id: field_uniqueness"),
    ],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_bad_day_among_good_ones_is_the_only_one_that_fails(bad, broken, position):
    days = [table_of(3, "x"), table_of(3, "y")]
    days.insert(position, bad)
    judged = judge_all(*days)
    assert [bool(each.violations) for each in judged] == [index == position for index in range(3)]
    assert any(rule.startswith(broken) for rule in judged[position].violations), judged[position]


def test_an_identifier_that_comes_again_another_day_breaks_nothing():
    assert judge_all(table_of(3), table_of(3)) == [Contract(3, {}), Contract(3, {})]


def test_no_days_have_no_verdict():
    assert judge_all() == []


@pytest.mark.parametrize("asset", SCHEMAS)
def test_no_contract_of_ours_would_change_a_table(asset):
    schema = SCHEMAS[asset]()
    changing = [schema.coerce, schema.parsers, schema.add_missing_columns, schema.drop_invalid_rows]
    for column in schema.columns.values():
        changing += [column.coerce, column.parsers, column.regex, column.default is not None]
    assert not any(changing)
