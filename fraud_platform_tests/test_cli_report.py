"""Who decided which day and why, and the report of a month or quarter, as people type them."""

from fraud_platform_tests.answers import assert_one_line_of
from fraud_platform_tests.platform_home import SCORED, day_number


def test_a_day_and_every_reign_are_answered_with_the_reason(type_in, copied_home):
    first, last = day_number(5).isoformat(), day_number(7).isoformat()
    answer = type_in("models", "--on", last)
    assert answer.code == 0, answer
    for told in ("1.0.0 (version 1, xgboost", f"from {first} until now", "it passed every gate", "not scored yet"):
        assert told in answer.out
    assert f"{first}  now  1.0.0" in type_in("models", "--reigns").out
    assert type_in("models", "--on", "yesterday").code == 2


def test_a_month_and_a_quarter_become_a_page_with_pictures_or_a_text(type_in, copied_home, tmp_path):
    day = day_number(4)
    copied_home.materialise(SCORED, day)
    answer = type_in("report", "--month", f"{day:%Y-%m}", "--output", tmp_path / "month.html")
    assert answer.code == 0, answer
    page = (tmp_path / "month.html").read_text()
    # One of the period, and those of the champion's card.
    assert page.count('src="data:image/png;base64,') == 6
    quarter = f"{day.year}-Q{(day.month + 2) // 3}"
    assert type_in("report", "--quarter", quarter, "--output", tmp_path / "quarter.md").code == 0
    text = (tmp_path / "quarter.md").read_text()
    assert f"# Fraud detection, {quarter}" in text
    assert "3,000 transactions were decided about on 1 days" in text
    assert "# The champion at the end: 1.0.0" in text
    # The only day was decided in hindsight.
    assert "Not applicable: no decision of the period" in text.partition("## Fairness and bias")[2]
    assert "## Fairness" not in page, "only a quarter has enough frauds to compare bands"
    assert "How right it was" in type_in("report", "--month", f"{day:%Y-%m}").out
    told = type_in("models", "--on", day.isoformat()).out
    assert "in hindsight" in " ".join(told.split())


def test_a_report_of_nothing_or_of_both_is_refused(type_in, copied_home):
    assert type_in("report").code == 2
    assert type_in("report", "--month", "2026-01", "--quarter", "2026-Q1").code == 2
    assert_one_line_of(type_in("report", "--month", "January"), "'January' is not a month; write YYYY-MM")
    assert_one_line_of(type_in("report", "--month", "2020-01"), "no day from 2020-01-01 to 2020-01-31 is scored")
    assert_one_line_of(type_in("report", "--month", "2026-01", "--output", "a.pdf"), "name the output .html or .md")
