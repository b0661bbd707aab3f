"""Whatever is typed: exit code 0, 1 or 2, and of an error one line that says what to do."""

import contextlib
import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform import cli
from fraud_platform_tests.chaos.fuzzing import fuzzed, within_deadline

# With right arguments `demo` takes minutes, `doctor` reaches for networks, and `exporter` has no end.
OPTIONS = {
    "land": ["--start", "--days", "--rows-per-day", "--drift-from", "--seed"],
    "simulate": ["--start", "--days", "--rows-per-day", "--drift-from", "--seed"],
    "score": ["--output", "--model"],
    "models": ["--on", "--reigns"],
    "promote": ["--reason", "--approved-by", "--from", "--overrule"],
    "rollback": ["--reason", "--approved-by", "--from"],
    "card": ["--output"],
    "explain": ["--day", "--html", "--all", "--output", "--reason"],
    "report": ["--month", "--quarter", "--output"],
    "audit": ["--expect-head", "--signed-from", "--event", "--actor", "--subject", "--since", "--until", "--json"],
    "erase": ["--transaction-id", "--reason"],
}
WORDS = ["verify", "show", "record", "note", "deployment", "--help", "--debug", "--", "-x", "--nonsense"]
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10),
    st.binary(max_size=5).map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))),
    st.integers(-3, 3).map(str),
    st.sampled_from(
        ["2026-01-01", "2026-01", "2026-Q1", "0000-01", "9999-12", "0000-Q4", "9999-Q4",
         "2026-02-30", "0001-01-01", "9999-12-31", "20260101", "2026-W01-1", "\uff11", "1e3", "NaN", "s3://",
         "[red]", "champion", "1.0.0", "file.csv", "missing.csv", "folder", "pipe.csv", "file.csv/below", ".", "/",
         "out.parquet", "out.xyz", "4111 1111 1111 1111", "[/]", "%s", "{0}", "\\", "x" * 300, "1:" + "0" * 64]
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of each kind."""
    made = tmp_path_factory.mktemp("typed")
    (made / "file.csv").write_text("Time,V1\n1,2\n")
    (made / "folder").mkdir()
    os.mkfifo(made / "pipe.csv")
    return made


@st.composite
def arguments(draw: st.DrawFn) -> list[str]:
    command = draw(st.sampled_from(sorted(OPTIONS)))
    typed = [command]
    for _ in range(draw(st.integers(0, 4))):
        if OPTIONS[command] and draw(st.booleans()):
            typed.append(draw(st.sampled_from(OPTIONS[command])))
        typed.append(draw(st.one_of(VALUES, st.sampled_from(WORDS))))
    return typed


@fuzzed(30)
@given(arguments())
def test_any_arguments_end_well_or_in_one_line(folder: Path, typed: list[str]) -> None:
    if typed[0] in ("land", "simulate"):
        # Otherwise right arguments are worked on, for as many rows as there are by default.
        typed = [*typed, "--days=1", "--rows-per-day=100"]
    code, errors = run(folder, typed)
    assert code in (0, 1, 2), (code, errors)
    assert "Traceback" not in errors or "--debug" in typed, errors
    assert "unexpected" not in errors.partition("error: ")[2][:12], errors
    if code == 1:
        lines = [line for line in errors.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, errors


@pytest.mark.parametrize(
    "typed",
    [
        ["score", "pipe.csv", "--output", "out.parquet"],
        ["land", "pipe.csv", "--start", "2026-01-01", "--days", "1"],
        ["demo", "--csv", "pipe.csv", "--days", "3"],
    ],
)
def test_a_pipe_in_the_place_of_a_file_is_one_line_and_no_hang(folder: Path, typed: list[str]) -> None:
    code, errors = run(folder, typed)
    assert code == 1
    assert errors.splitlines()[0].startswith("error: pipe.csv")
    assert "no regular file" in errors


def run(folder: Path, typed: list[str]) -> tuple[int, str]:
    """The exit code of a command typed in `folder`, and what it printed to standard error."""
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FRAUD_HOME", str(folder / "home"))
        patch.setattr(sys, "argv", ["fraud-platform", *typed])
        patch.setenv("COLUMNS", "500")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(shown), within_deadline():
            try:
                cli.main()
            except SystemExit as ended:
                return (ended.code if isinstance(ended.code, int) else 0), shown.getvalue()
    return 0, shown.getvalue()
