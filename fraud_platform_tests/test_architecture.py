"""The house rule, read from the syntax tree: a room imports only rooms above it, and few rooms know a framework."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fraud_platform"

# From the roof down, as DESIGN and the package's docstring list them.
ROOMS = (
    "errors",
    "small_files",
    "processes",
    "setting_fields",
    "settings",
    "setting_sources",
    "storage",
    "day_store",
    "settings_file",
    "metrics",
    "contracts",
    "governance",
    "logs",
    "notifications",
    "ingestion",
    "simulation",
    "features",
    "training",
    "registry",
    "scoring",
    "monitoring",
    "defs",
    "definitions",
    "exporter",
    "terminal",
    "cli_days",
    "cli_exporter",
    "cli_governance",
    "cli_labels",
    "cli_models",
    "cli_explanations",
    "cli_report",
    "cli",
)
# `settings` lets `governance` look for card numbers, which needs nothing of the house.
ALLOWED_UPWARD = {("settings", "governance")}

MAY_IMPORT = {
    "dagster": ("defs/", "definitions.py"),
    "dagster_mlflow": ("defs/resources.py",),
    "mlflow": ("registry/mlflow_", "defs/resources.py"),
    "pickle": (),
    "cloudpickle": (),
    # MLflow is configured by variables of its own; its room gives those that nobody set a default.
    "os.environ": (
        "__init__.py",
        "settings.py",
        "setting_sources.py",
        "cli_days.py",
        "cli.py",
        "defs/instance.py",
        "registry/mlflow_connection.py",
    ),
}
HEAVY = (
    "mlflow",
    "shap",
    "xgboost",
    "lightgbm",
    "optuna",
    "matplotlib",
    "sklearn",
    "pandera",
    "skops",
    "numba",
    "dagster_mlflow",
    "apprise",
)
# Its classes are scikit-learn's by inheritance; nothing that the code location loads imports it.
MAY_BE_HEAVY = ("features/transformers.py",)
MAXIMUM_LINES = 300

MODULES = sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _room(path: Path) -> str:
    return _name(path).split("/")[0].removesuffix(".py")


def _imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield (node.module or "", node)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_room_imports_only_rooms_above_it(path):
    room = _room(path)
    if room == "__init__":
        return
    for module, node in _imports(ast.parse(path.read_text())):
        if not module.startswith("fraud_platform."):
            continue
        imported = module.split(".")[1]
        if (room, imported) in ALLOWED_UPWARD:
            continue
        assert ROOMS.index(imported) <= ROOMS.index(room), f"{_name(path)}:{node.lineno} imports {module} from below"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_frameworks_stay_in_their_rooms(path):
    for module, node in _imports(ast.parse(path.read_text())):
        root = module.split(".")[0]
        if root in MAY_IMPORT:
            assert _name(path).startswith(MAY_IMPORT[root] or ("nowhere",)), (
                f"{_name(path)}:{node.lineno} imports {module}"
            )


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_is_unpickled(path):
    unpickling = ("joblib.load", "read_pickle", "allow_pickle=True", "skops.io.get_untrusted_types")
    assert [call for call in unpickling if call in path.read_text()] == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_the_environment_is_read_in_few_places(path):
    reads = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert not reads or _name(path).startswith(MAY_IMPORT["os.environ"]), f"{_name(path)}: lines {reads}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_heavy_libraries_are_imported_where_they_are_used(path):
    if _name(path) in MAY_BE_HEAVY:
        return
    tree = ast.parse(path.read_text())
    guarded = [
        statement
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for statement in node.body
    ]
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) and node not in guarded]
    for statement in top:
        for module, node in _imports(ast.Module(body=[statement], type_ignores=[])):
            assert module.split(".")[0] not in HEAVY, f"{_name(path)}:{node.lineno} imports {module} at the top"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_has_one_job_and_says_it(path):
    source = path.read_text()
    assert source.count("\n") <= MAXIMUM_LINES
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), "the module does not say its job"


@pytest.mark.parametrize("path", sorted((PACKAGE / "defs").rglob("*.py")), ids=_name)
def test_modules_with_dagster_objects_keep_their_annotations_real(path):
    # `from __future__ import annotations` breaks Dagster's reading of `context` and `Config` annotations.
    assert "from __future__ import annotations" not in path.read_text()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_error_is_swallowed(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            only_passes = all(isinstance(statement, ast.Pass) for statement in node.body)
            assert not only_passes, f"{_name(path)}:{node.lineno} swallows an error"


def test_the_code_location_loads_without_what_only_some_steps_need():
    program = "import sys, fraud_platform.definitions; print([name for name in sys.argv[1:] if name in sys.modules])"
    # What a module imports through others does not show in its own syntax tree; alembic comes with Dagster's storages.
    slow = ("alembic", "lightgbm", "matplotlib", "mlflow", "numba", "optuna", "shap", "sklearn", "xgboost")
    answer = subprocess.run([sys.executable, "-c", program, *slow], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
