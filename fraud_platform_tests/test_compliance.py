"""What the compliance page says holds an item is there: every module and every test it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "docs" / "compliance.md", ROOT / "docs" / "threat-model.md"]
STATES = ("held", "operator", "planned")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_and_test_it_names_exists(page):
    text = page.read_text()
    tests = "".join(path.read_text() for path in (ROOT / "fraud_platform_tests").rglob("test_*.py"))
    defined = set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    assert set(re.findall(r"`(test_\w+)`", text)) - defined == set()
    assert [name for name in re.findall(r"`(fraud_platform/[\w/]+\.py)`", text) if not (ROOT / name).exists()] == []


def test_every_item_has_a_state_and_what_is_held_names_its_test():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGES[0].read_text().splitlines()
        if line.startswith("| ") and not line.startswith(("| item", "| article"))
    ]
    assert len(rows) > 30
    for *_, tests, state in rows:
        assert state.startswith(STATES), state
        assert tests or not state.startswith("held") or "service" in state, rows
