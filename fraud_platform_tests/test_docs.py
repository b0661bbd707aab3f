"""The documents keep up with the code: settings, commands, assets, links, pictures and snippets."""

import ast
import importlib
import re
from pathlib import Path

import pytest
import typer.main

from fraud_platform.cli import app
from fraud_platform.defs.jobs import DAILY_ASSETS, RETRAINING_ASSETS
from fraud_platform.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "terraform").glob("*.md")])
OPERATIONS = ROOT / "docs" / "operations.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
MAXIMUM_PICTURES, MAXIMUM_PICTURE_BYTES = 4, 300_000

# What a default computed at run time is called.
COMPUTED_DEFAULTS = {"home": "`.fraud`", "start_date": "30 days ago"}

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SNIPPET = re.compile(r"```python\n(.*?)```", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _settings_row(field):
    information = Settings.model_fields[field]
    variable = str(information.validation_alias or f"FRAUD_{field.upper()}")
    default = information.default
    if field in COMPUTED_DEFAULTS:
        shown = COMPUTED_DEFAULTS[field]
    elif isinstance(default, tuple):
        shown = "all four"
    else:
        shown = f"`{default}`" if default not in ("", None) else ""
    return f"| `{variable}` | {shown} | {information.description} |"


def _anchors(document):
    headings = _HEADING.findall(document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_stands_in_the_table_with_its_default_and_meaning(field):
    assert _settings_row(field) in OPERATIONS.read_text().splitlines()


def test_the_table_names_no_setting_that_does_not_exist():
    variables = set(re.findall(r"`(FRAUD_[A-Z0-9_]+)", "".join(path.read_text() for path in DOCUMENTS)))
    assert variables - {f"FRAUD_{field.upper()}" for field in Settings.model_fields} == set()


def test_every_command_is_documented_and_none_that_does_not_exist():
    commands = set(typer.main.get_command(app).commands)
    mentioned = set(re.findall(r"fraud-platform ([a-z]+)\b", "".join(path.read_text() for path in DOCUMENTS)))
    assert mentioned == commands


@pytest.mark.parametrize("asset", [*DAILY_ASSETS, *RETRAINING_ASSETS])
def test_every_asset_is_on_the_tour(asset):
    assert f"| `{asset}` |" in (ROOT / "README.md").read_text()


def test_the_map_shows_every_module_of_the_house_and_no_other():
    tree = re.search(r"```\nfraud_platform/\n(.*?)```", ARCHITECTURE.read_text(), re.DOTALL)
    assert tree, "docs/architecture.md has lost its map"
    shown, folders = set(), []
    for line in tree[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"\s{2,}", line.strip(), maxsplit=1)[0]
        if names.endswith("/"):
            folders[depth - 1 :] = [names]
        else:
            folder = "".join(folders[: depth - 1])
            shown |= {f"{folder}{name}" for name in names.split(" · ")}
    package = ROOT / "fraud_platform"
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.suffix in (".py", ".npz")}
    assert shown == {file for file in files if not file.endswith("/__init__.py")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_relative_links_lead_somewhere(document):
    for target in _LINK.findall(document.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path) if path else document
        assert linked.exists(), f"{_name(document)} links to {target}"
        assert not anchor or anchor in _anchors(linked), f"{_name(document)} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_python_snippets_import_what_there_is(document):
    for number, snippet in enumerate(_SNIPPET.findall(document.read_text()), start=1):
        tree = ast.parse(snippet, f"{_name(document)}, snippet {number}")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert not missing, f"{_name(document)}, snippet {number}: {node.module} has no {missing}"


def test_pictures_are_few_small_and_used():
    pictures = list((ROOT / "docs" / "images").glob("*"))
    assert len(pictures) <= MAXIMUM_PICTURES
    text = "".join(path.read_text() for path in DOCUMENTS)
    for picture in pictures:
        assert picture.stat().st_size < MAXIMUM_PICTURE_BYTES, _name(picture)
        assert f"images/{picture.name}" in text, f"{_name(picture)} is shown nowhere"
