"""Markdown tables: every row as wide as its header, every figure with three digits."""

import math
from dataclasses import replace

import pytest

from fraud_platform.registry.tables import candidates_markdown, evaluation_markdown
from fraud_platform.training.slices import slice_decisions
from fraud_platform_tests.registry.judged_figures import evaluation

ROW = {
    "name": "lightgbm",
    "cv_average_precision": 0.81234,
    "train_average_precision": 0.9,
    "validation_average_precision": 0.8,
    "out_of_fold_average_precision": None,
    "params": {"num_leaves": 31, "learning_rate": 0.0512345, "class_weight": None},
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_one_row_per_candidate():
    header, ruler, *rows = candidates_markdown([ROW, {**ROW, "name": "xgboost"}]).splitlines()
    assert [len(cells(line)) for line in (header, ruler, *rows)] == [6] * 4
    assert cells(rows[0]) == [
        "lightgbm",
        "0.812",
        "n/a",
        "0.800",
        "0.900",
        "class_weight=None, learning_rate=0.05123, num_leaves=31",
    ]
    assert cells(rows[1])[0] == "xgboost"


def test_no_candidate_leaves_the_header():
    assert len(candidates_markdown([]).splitlines()) == 2


def test_every_figure_with_its_bounds():
    text = evaluation_markdown(evaluation())
    assert "40,000 transactions, 40 frauds, at a fraud rate of 0.100%; intervals at 95%." in text
    assert "A missed fraud costs its amount, an alert 5." in text
    assert "| cost per transaction | 0.030 (" in text
    assert "| average precision | 0.800 (0.750 to 0.850) |" in text
    assert "true positives 30, false positives 3, true negatives 39,957, false negatives 10" in text


@pytest.mark.parametrize("missing", [math.nan, math.inf])
def test_a_figure_that_does_not_exist_is_said_so(missing):
    assert "| roc auc | n/a (n/a to n/a) |" in evaluation_markdown(evaluation(roc_auc=missing))


def test_rows_that_stand_for_more_are_told_apart_from_transactions():
    sampled = replace(evaluation(), row_count=4_036, legitimate_weight=10.0, fraud_rate=40 / 40_000)
    assert "4,036 rows for 40,000 transactions, 40 frauds, at a fraud rate of 0.100%" in evaluation_markdown(sampled)


def test_slices_stand_below_the_figures_and_few_frauds_are_not_applicable():
    # Five of six small frauds are caught, and the one large fraud.
    amounts, hours = [5.0] * 6 + [2_000.0], [3.0] * 7
    slices = slice_decisions([1] * 7, [1] * 5 + [0, 1], amounts, hours)
    text = evaluation_markdown(evaluation(), slices)
    header, _, *rows = text.split("\n\n")[-1].splitlines()
    assert [len(cells(line)) for line in rows] == [len(cells(header))] * 9
    assert cells(rows[0])[:6] == ["amount 0 to 10", "6", "6", "5", "5", "0.833 (0.436 to 0.970)"]
    assert cells(rows[4])[4:7] == ["1", "not applicable", "not applicable"]
