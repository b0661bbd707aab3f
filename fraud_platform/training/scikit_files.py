"""scikit-learn estimators as bytes and back: skops, never pickle, and the same bytes for the same estimator.

Which estimators the platform trains does not belong here, and neither do bundles.

skops names members and nodes after memory addresses and dates them with the clock; two equal estimators therefore give
different files. What is written here is the same format with counted names, fixed dates and cleared padding.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np

from fraud_platform.errors import ModelError
from fraud_platform.training.archive import write_archive

# Every class, with the skops node that may build it, that the platform's own estimators consist of. skops trusts all
# of scikit-learn and scipy by default; a fraud model needs none of the rest.
TRUSTED_NODES = frozenset(
    {
        ("builtins", "dict", "DictNode"),
        ("builtins", "list", "ListNode"),
        ("builtins", "tuple", "TupleNode"),
        ("builtins", "str", "JsonNode"),
        ("builtins", "str", "TypeNode"),
        ("numpy", "float64", "NdArrayNode"),
        ("numpy", "int64", "NdArrayNode"),
        ("numpy", "ndarray", "NdArrayNode"),
        ("sklearn.ensemble._forest", "RandomForestClassifier", "ObjectNode"),
        ("sklearn.linear_model._logistic", "LogisticRegression", "ObjectNode"),
        ("sklearn.pipeline", "Pipeline", "ObjectNode"),
        ("sklearn.preprocessing._data", "StandardScaler", "ObjectNode"),
        ("sklearn.tree._classes", "DecisionTreeClassifier", "ObjectNode"),
        ("sklearn.tree._tree", "Tree", "TreeNode"),
    }
)
# The one class of these that skops itself does not trust: compiled code, which reads arrays and no more.
_TRUSTED_BESIDE_SKOPS_OWN = ["sklearn.tree._tree.Tree"]
# `TypeNode` resolves to a class by name; only the types of dictionary keys are ever needed.
_TRUSTED_TYPE_NODES = frozenset({("builtins", "str")})

_SCHEMA = "schema.json"


def dump_estimator(estimator: Any) -> bytes:
    """`estimator` as a skops file, equal bytes for equal content in any process."""
    import skops.io

    written = skops.io.dumps(estimator)
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        contents = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    names = _NodeNames(contents)
    names.count(schema)
    members = {names.name_of[content]: content for content in names.name_of}
    members[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    return write_archive(members)


def load_estimator(data: bytes) -> Any:
    """The estimator in a skops file.

    Raises:
        ModelError: the file is damaged, or asks for a class that is not on the fixed list.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            schema = json.loads(archive.read(_SCHEMA))
        _refuse_strangers(schema)
        return skops.io.loads(data, trusted=_TRUSTED_BESIDE_SKOPS_OWN)
    except UntrustedTypesFoundException as error:
        raise ModelError(f"model file asks for classes that are not trusted: {error}; refused, train again") from None
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"model file cannot be read ({type(error).__name__}); restore it or train again") from None


def expect_class(loaded: Any, expected: type, file_name: str) -> Any:
    """`loaded`, where it is of the class that belongs there.

    Raises:
        ModelError: it is not.
    """
    if not isinstance(loaded, expected):
        raise ModelError(f"{file_name} holds a {type(loaded).__name__}, not a {expected.__name__}; train again")
    return loaded


class _NodeNames:
    """Gives every node of a skops schema the next number, and every distinct array one file."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.name_of: dict[bytes, str] = {}
        self._contents = contents
        self._node_count = 0

    def count(self, node: Any) -> None:
        """Renames `node` and all below it, in place."""
        if isinstance(node, list):
            for child in node:
                self.count(child)
        elif isinstance(node, dict):
            if "__id__" in node:
                # Unique, so that no node is taken for a repetition of another: sharing is an accident of the process.
                node["__id__"] = self._node_count
                self._node_count += 1
            if isinstance(node.get("file"), str) and node["file"] in self._contents:
                content = _without_padding(self._contents[node["file"]])
                node["file"] = self.name_of.setdefault(content, f"{len(self.name_of):06d}.npy")
            for child in node.values():
                self.count(child)


def _without_padding(content: bytes) -> bytes:
    # Tree nodes are C structures whose padding holds whatever the memory held before.
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.fields is None:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for field in array.dtype.fields:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _refuse_strangers(node: Any) -> None:
    if isinstance(node, list):
        for child in node:
            _refuse_strangers(child)
        return
    if not isinstance(node, dict):
        return
    if "__loader__" in node or "__class__" in node or "__module__" in node:
        asked = (node.get("__module__"), node.get("__class__"), node.get("__loader__"))
        if asked not in TRUSTED_NODES or (asked[2] == "TypeNode" and asked[:2] not in _TRUSTED_TYPE_NODES):
            name = f"{asked[0]}.{asked[1]} ({asked[2]})"
            raise ModelError(f"model file asks for {name}, which no fraud model needs; refused, train again")
    for child in node.values():
        _refuse_strangers(child)
