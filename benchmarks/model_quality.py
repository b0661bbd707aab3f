"""How good is the model? Seeded splits of one real file, and the time-ordered one, at the true fraud rate.

- the blueprint's four models as it writes them;
- each of the platform's tuned candidates, and the model it releases, by its own training with its defaults;
- the model it releases without a search;
- AutoGluon, on the same rows and in an environment of its own.

What is measured is kept in a file as it comes, so that an interrupted run goes on where it was; what other code, other
rows or other terms measured is measured again.

    python benchmarks/model_quality.py [--splits 20] [--no-peer] [--data creditcard.csv] [--keep FILE]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from quality_contestants import PEER_SCRIPT, RELEASED, Figures, automl, blueprint, platform, unsearched
from quality_rows import TIME_ORDERED, QualityRows, Split
from quality_table import print_differences, print_summary

import fraud_platform
from fraud_platform.ingestion.schema import TRUE_FRAUD_RATE
from fraud_platform.storage import sha256

SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "creditcard_sample.csv"
KEPT = Path(tempfile.gettempdir()) / "fraud-model-quality.json"
# What decides which model comes out.
_ROOMS = ("features", "training")
Measure = Callable[[Split], Mapping[str, Figures]]


class KeptFigures:
    """Figures by split and group of contestants, in a file that is whole at any moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._groups: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def of(self, split: str, group: str, recipe: str) -> dict[str, Figures] | None:
        """What was measured by this recipe; None where nothing was."""
        kept = self._groups.get(f"{split}/{group}")
        if kept is None or kept["recipe"] != recipe:
            return None
        return {name: Figures(**figures) for name, figures in kept["figures"].items()}

    def add(self, split: str, group: str, recipe: str, figures: Mapping[str, Figures]) -> None:
        """Keeps what was measured."""
        documents = {name: asdict(each) for name, each in figures.items()}
        self._groups[f"{split}/{group}"] = {"recipe": recipe, "figures": documents}
        unfinished = self._path.with_suffix(".part")
        unfinished.write_text(json.dumps(self._groups, indent=1), encoding="utf-8")
        os.replace(unfinished, self._path)


def recipes(data: Path, peer_seconds: float) -> dict[str, str]:
    """What the figures of each group of contestants depend on, as a digest."""
    rows = sha256(data.read_bytes())
    here = Path(__file__).parent
    measuring = _digest([here / "quality_contestants.py", here / "quality_rows.py"])
    package = Path(fraud_platform.__file__).parent
    code = _digest(sorted(path for room in _ROOMS for path in (package / room).glob("*.py")))
    return {
        "blueprint": f"{rows} {measuring}",
        "unsearched": f"{rows} {measuring} {code}",
        "platform": f"{rows} {measuring} {code}",
        "peer": f"{rows} {_digest([PEER_SCRIPT])} {peer_seconds:g}",
    }


def _digest(paths: list[Path]) -> str:
    return sha256(b"".join(path.read_bytes() for path in paths))


def measure_all(
    rows: QualityRows, names: list[str], groups: Mapping[str, Measure], recipe: Mapping[str, str], kept: KeptFigures
) -> dict[str, dict[str, Figures]]:
    """The figures of every contestant, by split; what is kept is not measured again."""
    found: dict[str, dict[str, Figures]] = {}
    for name in names:
        found[name] = {}
        split = None
        for group, measure in groups.items():
            figures: Mapping[str, Figures] | None = kept.of(name, group, recipe[group])
            if figures is None:
                split = split or rows.split(name)
                figures = measure(split)
                kept.add(name, group, recipe[group], figures)
                print(
                    f"{name}: {', '.join(f'{who} {each.average_precision:.3f}' for who, each in figures.items())}",
                    flush=True,
                )
            found[name].update(figures)
    return found


def main(arguments: argparse.Namespace) -> None:
    """Measures what is not kept yet, and prints the tables."""
    groups: dict[str, Measure] = {"blueprint": blueprint, "unsearched": unsearched, "platform": platform}
    if arguments.peer:
        groups["peer"] = partial(automl, seconds=arguments.peer_seconds)
    rows, kept = QualityRows(arguments.data), KeptFigures(arguments.keep)
    names = [TIME_ORDERED, *(f"seed {seed}" for seed in range(arguments.splits))]
    found = measure_all(rows, names, groups, recipes(arguments.data, arguments.peer_seconds), kept)
    ordered = found.pop(TIME_ORDERED)
    measured_on = f"{rows.row_count:,} rows with {rows.fraud_count} frauds, 15 % of them to judge on"
    print(f"\n{measured_on}, at a fraud rate of {TRUE_FRAUD_RATE:.3%}")
    for title, splits in ((f"{len(found)} seeded splits", list(found.values())), ("The last 15 % in time", [ordered])):
        print_summary(title, by_contestant(splits))
        print_differences(title, beside_released(splits))


def by_contestant(splits: Sequence[Mapping[str, Figures]]) -> dict[str, list[Figures]]:
    """The figures of every contestant, on the splits where there is one: boosters that far apart make no ensemble."""
    names = dict.fromkeys(who for figures in splits for who in figures)
    return {who: [figures[who] for figures in splits if who in figures] for who in names}


def beside_released(splits: Sequence[Mapping[str, Figures]]) -> dict[str, list[tuple[Figures, Figures]]]:
    """The released model's figures beside those of every other contestant, split by split."""
    names = [who for who in by_contestant(splits) if who != RELEASED]
    return {who: [(figures[RELEASED], figures[who]) for figures in splits if who in figures] for who in names}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=20, help="seeded splits, beside the time-ordered one")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="a labelled file in the format of creditcard.csv")
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True, help="measure AutoGluon too")
    parser.add_argument("--peer-seconds", type=float, default=120.0, help="time AutoGluon has for each split")
    parser.add_argument("--keep", type=Path, default=KEPT, help="where finished splits are kept")
    main(parser.parse_args())
