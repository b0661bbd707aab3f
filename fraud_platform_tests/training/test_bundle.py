"""Bundles: one digest for equal content, no changed byte, nothing that could run."""

import base64
import io
import json
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fraud_platform.errors import DataError, ModelError
from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import FEATURE_NAMES, FEATURE_SCHEMA_VERSION
from fraud_platform.storage import canonical_json, sha256
from fraud_platform.training.archive import read_sealed_archive, write_archive
from fraud_platform.training.bundle import SCORE_COLUMN, ModelBundle
from fraud_platform.training.calibration import Calibration
from fraud_platform.training.candidates import CANDIDATES
from fraud_platform.training.fitting import FitRows
from fraud_platform.training.thresholds import DecisionThreshold
from fraud_platform_tests.training.labelled_rows import make_baseline, make_rows

SMALL = {"n_estimators": 5}


def make_bundle(algorithm: str = "xgboost") -> ModelBundle:
    rows = make_rows(400, 40)
    candidate = CANDIDATES[algorithm]
    estimator = candidate.fit({**candidate.starting_point, **SMALL}, FitRows(rows.features, rows.labels), seed=1)
    scores = pd.DataFrame({SCORE_COLUMN: estimator.predict_probability(rows.features)})
    return ModelBundle(
        algorithm=algorithm,
        feature_names=FEATURE_NAMES,
        feature_schema_version=FEATURE_SCHEMA_VERSION,
        estimator=estimator,
        calibration=Calibration("platt", {"slope": 1.25, "intercept": -0.5}),
        threshold=DecisionThreshold(0.4, "max_f1", {"precision": 0.9}),
        baseline=Profile({**make_baseline(rows).columns, **profile_table(scores, [SCORE_COLUMN]).columns}),
        provenance={"as_of": "2026-01-31", "seed": 1},
        alternatives=(DecisionThreshold(0.2, "review_capacity", {"recall": 0.8}),),
    )


@pytest.fixture(scope="module")
def data() -> bytes:
    return make_bundle().to_bytes()


def seal(members: dict[str, bytes]) -> bytes:
    """A consistent bundle of `members`: manifest and seal agree with them, as a forger would see to."""
    manifest = json.loads(members.pop("manifest.json"))
    manifest["members"] = {name: sha256(content) for name, content in members.items()}
    return write_archive({**members, "manifest.json": canonical_json(manifest)}, is_sealed=True)


@pytest.mark.parametrize("algorithm", CANDIDATES)
def test_a_bundle_comes_back_as_it_was(algorithm: str) -> None:
    bundle = make_bundle(algorithm)
    loaded = ModelBundle.from_bytes(bundle.to_bytes(), bundle.digest)
    rows = make_rows(300, 20, seed=9)
    np.testing.assert_array_equal(loaded.predict(rows.features), bundle.predict(rows.features))
    assert (loaded.calibration, loaded.threshold) == (bundle.calibration, bundle.threshold)
    assert (loaded.feature_names, loaded.provenance) == (bundle.feature_names, bundle.provenance)
    assert loaded.baseline.to_text() == bundle.baseline.to_text()
    assert loaded.digest == bundle.digest == sha256(bundle.to_bytes())
    # Not only kept, but written anew from what was loaded.
    assert replace(loaded).to_bytes() == bundle.to_bytes()


def test_predictions_are_calibrated_probabilities() -> None:
    bundle = make_bundle()
    features = make_rows(50, 5).features
    log_odds = bundle.estimator.contributions(features)[0].sum(axis=1) + bundle.estimator.contributions(features)[1]
    np.testing.assert_allclose(bundle.predict(features), 1 / (1 + np.exp(0.5 - 1.25 * log_odds)), rtol=1e-4)


def test_a_table_is_read_by_column_name() -> None:
    bundle = make_bundle()
    features = make_rows(50, 5).features
    table = pd.DataFrame(features, columns=list(FEATURE_NAMES))
    table.insert(0, "transaction_id", "x")
    shuffled = table[sorted(table.columns)]
    np.testing.assert_array_equal(bundle.predict(shuffled), bundle.predict(features))


def test_a_table_without_a_feature_is_refused() -> None:
    table = pd.DataFrame(make_rows(50, 5).features, columns=list(FEATURE_NAMES)).drop(columns="V14")
    with pytest.raises(DataError, match="lacks V14"):
        make_bundle().predict(table)


def test_a_model_of_another_feature_schema_is_refused() -> None:
    bundle = replace(make_bundle(), feature_schema_version=FEATURE_SCHEMA_VERSION + 1)
    with pytest.raises(ModelError, match="train again"):
        bundle.predict(make_rows(50, 5).features)


def test_a_matrix_of_another_width_is_refused() -> None:
    with pytest.raises(ModelError, match="takes 32 features"):
        make_bundle().predict(np.zeros((2, 31), np.float32))


def test_a_bundle_is_refused_when_the_digest_differs(data: bytes) -> None:
    with pytest.raises(ModelError, match="registered was sha256:0"):
        ModelBundle.from_bytes(data, "sha256:" + "0" * 64)


def test_a_flipped_byte_anywhere_is_refused(data: bytes) -> None:
    # Every byte of both ends, where headers and the seal are, and a sample of what lies between.
    positions = {*range(400), *range(len(data) - 900, len(data)), *range(0, len(data), 97)}
    for position in sorted(positions):
        damaged = bytearray(data)
        damaged[position] ^= 0x40
        with pytest.raises(ModelError, match="do not match its seal"):
            ModelBundle.from_bytes(bytes(damaged))


@pytest.mark.parametrize("kept", [0, 10, 71, 1000, -1])
def test_a_bundle_cut_short_is_refused(data: bytes, kept: int) -> None:
    with pytest.raises(ModelError):
        ModelBundle.from_bytes(data[:kept])


def test_bytes_behind_the_bundle_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        ModelBundle.from_bytes(data + b"\0")


@pytest.mark.parametrize("name", ["calibration.json", "threshold.json", "baseline.txt", "provenance.json"])
def test_a_missing_member_is_named(data: bytes, name: str) -> None:
    members = read_sealed_archive(data)
    del members[name]
    with pytest.raises(ModelError, match=f"lacks {name}"):
        ModelBundle.from_bytes(seal(members))


def test_a_missing_manifest_or_model_is_refused(data: bytes) -> None:
    members = read_sealed_archive(data)
    without_manifest = {name: content for name, content in members.items() if name != "manifest.json"}
    with pytest.raises(ModelError, match=r"no readable manifest\.json"):
        ModelBundle.from_bytes(write_archive(without_manifest, is_sealed=True))
    del members["estimator/xgboost.ubj"]
    with pytest.raises(ModelError, match=r"where xgboost\.ubj belongs"):
        ModelBundle.from_bytes(seal(members))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        # Another digest than the member has.
        ({"members": {"baseline.txt": "sha256:0"}}, "not what its manifest says"),
        # A member the archive does not hold.
        ({"members": {"other.json": "sha256:0"}}, r"lacks other\.json"),
        ({"members": "everything"}, "no readable"),
        ({"format": "fraud-model-bundle-9"}, "is of format 'fraud-model-bundle-9'"),
        ({"algorithm": "prophet"}, "unknown algorithm"),
        # The right file for another algorithm.
        ({"algorithm": "lightgbm"}, r"where lightgbm\.txt belongs"),
        ({"feature_names": None}, "cannot be read"),
    ],
)
def test_a_forged_manifest_is_refused(data: bytes, change: dict[str, object], message: str) -> None:
    members = read_sealed_archive(data)
    manifest = json.loads(members["manifest.json"])
    for name, value in change.items():
        manifest[name] = {**manifest[name], **value} if isinstance(value, dict) else value
    forged = write_archive({**members, "manifest.json": canonical_json(manifest)}, is_sealed=True)
    with pytest.raises(ModelError, match=message):
        ModelBundle.from_bytes(forged)


def test_a_member_beside_the_manifest_is_refused(data: bytes) -> None:
    members = read_sealed_archive(data)
    with pytest.raises(ModelError, match="beside its manifest"):
        ModelBundle.from_bytes(write_archive({**members, "extra.json": b"{}"}, is_sealed=True))


@pytest.mark.parametrize("name", ["estimator/model.pkl", "model.pkl", "estimator/xgboost.ubj", "provenance.json"])
def test_a_pickle_is_never_loaded(data: bytes, name: str, tmp_path) -> None:
    # Protocol 0 of `os.mkdir(<folder>)`: whoever unpickles it makes the folder.
    folder = tmp_path / "proof"
    pickle_bytes = f"cos\nmkdir\n(V{folder}\ntR.".encode()
    with pytest.raises(ModelError):
        ModelBundle.from_bytes(seal({**read_sealed_archive(data), name: pickle_bytes}))
    assert not folder.exists()


def test_a_bundle_whose_skops_file_asks_for_a_command_is_refused(tmp_path) -> None:
    folder = tmp_path / "proof"
    members = read_sealed_archive(make_bundle("logistic_regression").to_bytes())
    with zipfile.ZipFile(io.BytesIO(members["estimator/logistic_regression.skops"])) as archive:
        inner = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(inner["schema.json"])
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(str(folder))}
    schema.update(
        {
            "__class__": "mkdir",
            "__module__": "os",
            "__loader__": "ReduceNode",
            "content": {},
            "reduce": {
                "args": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [text]}
            },
        }
    )
    members["estimator/logistic_regression.skops"] = write_archive(
        {**inner, "schema.json": json.dumps(schema).encode()}
    )
    with pytest.raises(ModelError, match=r"asks for os\.mkdir"):
        ModelBundle.from_bytes(seal(members))
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calibration.json", b'{"kind": "isotonic", "parameters": {}}'),
        ("threshold.json", b'{"value": 7, "policy": "max_f1", "expected": {}}'),
        ("baseline.txt", b"nothing"),
        ("provenance.json", b"{"),
    ],
)
def test_a_member_that_means_nothing_is_refused(data: bytes, name: str, content: bytes) -> None:
    with pytest.raises(ModelError):
        ModelBundle.from_bytes(seal({**read_sealed_archive(data), name: content}))


@pytest.mark.parametrize(
    ("member", "content", "words"),
    [
        ("provenance.json", b"[" * 100_000 + b"]" * 100_000, "RecursionError"),
        ("provenance.json", b"[]", "provenance is no document"),
        ("baseline.txt", b"0" * (2**24 + 1), "baseline.txt is longer than"),
        ("baseline.txt", base64.b85encode(zlib.compress(b" " * 2**27)), "longer than"),
    ],
    ids=["deep", "list", "long", "bomb"],
)
def test_a_document_that_would_exhaust_who_reads_it_is_refused(data, member, content, words):
    with pytest.raises(ModelError, match=words):
        ModelBundle.from_bytes(seal({**read_sealed_archive(data), member: content}))
