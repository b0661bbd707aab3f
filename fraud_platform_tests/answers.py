"""What a command left on the terminal, and what the answer to an error looks like."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


def assert_one_line_of(answer: Answer, *words: str) -> None:
    assert answer.code == 1, answer
    assert len(answer.err.splitlines()) == 1, answer.err
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err
