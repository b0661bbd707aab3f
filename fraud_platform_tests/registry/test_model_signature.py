"""With a key, only a model that its holder has signed is read: whatever the registry says, and however it got there."""

import hashlib
import hmac
from pathlib import Path

import pytest

from fraud_platform.errors import ModelError, PlatformError
from fraud_platform.registry.memory_registry import MemoryRecords, MemoryRegistry
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform.registry.model_signature import read_model_key
from fraud_platform.storage import sha256
from fraud_platform_tests.platform_home import open_home
from fraud_platform_tests.registry.registration import promote, register

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def registry(records: MemoryRecords) -> MemoryRegistry:
    return MemoryRegistry(records, key=KEY)


def test_the_signature_is_the_hmac_of_purpose_and_digest(registry: MemoryRegistry) -> None:
    version = register(registry, "a model")
    digest = f"sha256:{hashlib.sha256(b'a model').hexdigest()}"
    expected = hmac.new(KEY, f"fraud-platform model bundle\n{digest}".encode(), hashlib.sha256).hexdigest()
    assert version.signature == expected
    assert registry.read_bytes(version) == b"a model"


def test_without_a_key_models_are_neither_signed_nor_asked_for_a_signature(records: MemoryRecords) -> None:
    version = register(MemoryRegistry(records), "a model")
    assert version.signature is None
    assert MemoryRegistry(records).read_bytes(version) == b"a model"


def test_a_model_put_in_the_place_of_another_is_refused_although_its_digest_is_right(
    registry: MemoryRegistry, records: MemoryRecords
) -> None:
    register(registry, "a model")
    records.replace_data("1", b"another")
    records.set_tag("1", "bundle_sha256", sha256(b"another"))
    assert MemoryRegistry(records).read_bytes("1") == b"another"
    for call in (registry.read_bytes, registry.load):
        with pytest.raises(ModelError, match="another bundle was put in its place"):
            call("1")


@pytest.mark.parametrize("signature", ["0" * 64, "", "\u00e9", "no signature"])
def test_a_signature_that_is_none_is_refused(registry: MemoryRegistry, records: MemoryRecords, signature: str) -> None:
    register(registry, "a model")
    records.set_tag("1", "signature", signature)
    with pytest.raises(ModelError, match="signed with another key"):
        registry.read_bytes("1")


def test_the_signature_of_one_model_is_none_of_another(registry: MemoryRegistry, records: MemoryRecords) -> None:
    first, second = register(registry, "first"), register(registry, "second")
    assert first.signature is not None
    records.set_tag(second.version, "signature", first.signature)
    with pytest.raises(ModelError, match="another key"):
        registry.read_bytes(second.version)


def test_a_model_of_somebody_without_the_key_or_with_another_is_refused_until_it_is_signed(
    registry: MemoryRegistry, records: MemoryRecords
) -> None:
    unsigned = register(MemoryRegistry(records), "unsigned")
    foreign = register(MemoryRegistry(records, key=OTHER), "foreign")
    with pytest.raises(ModelError, match="version 1 is not signed"):
        registry.read_bytes(unsigned)
    with pytest.raises(ModelError, match="another key"):
        registry.read_bytes(foreign)
    assert registry.read_bytes(registry.sign(unsigned)) == b"unsigned"
    assert registry.read_bytes(registry.sign(foreign)) == b"foreign"


def test_nothing_is_signed_without_a_key_or_with_another_digest_than_the_registered(
    registry: MemoryRegistry, records: MemoryRecords
) -> None:
    version = register(MemoryRegistry(records), "a model")
    with pytest.raises(ModelError, match="FRAUD_MODEL_KEY_FILE"):
        MemoryRegistry(records).sign(version)
    records.replace_data("1", b"another")
    with pytest.raises(ModelError, match="somebody changed it"):
        registry.sign(version)
    assert registry.find("1").signature is None


def test_a_model_that_is_made_again_once_there_is_a_key_is_signed(
    registry: MemoryRegistry, records: MemoryRecords
) -> None:
    register(MemoryRegistry(records), "a model")
    assert register(registry, "a model").signature is not None
    assert len(registry.versions()) == 1


def test_mlflow_keeps_the_signature_and_a_cache_does_not_go_round_it(tracking_url: str, tmp_path: Path) -> None:
    unkeyed = MlflowRegistry(tracking_url, cache=tmp_path)
    version = register(unkeyed, "a model")
    assert unkeyed.read_bytes(version) == b"a model"
    signing = MlflowRegistry(tracking_url, cache=tmp_path, key=KEY)
    with pytest.raises(ModelError, match="is not signed"):
        signing.read_bytes(version)
    signing.sign(version)
    promote(signing, version, day=2)
    assert MlflowRegistry(tracking_url, key=KEY).read_bytes("champion") == b"a model"


def test_a_key_file_that_is_missing_or_too_short_is_refused_by_the_name_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"FRAUD_MODEL_KEY_FILE: .* cannot be read"):
        read_model_key(str(tmp_path / "key"))
    (tmp_path / "key").write_text("short\n")
    with pytest.raises(PlatformError, match="has 5 bytes, needed are 16"):
        read_model_key(str(tmp_path / "key"))
    assert read_model_key("") is None


def test_what_dagster_registers_is_signed_with_the_key_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY)
    with open_home(tmp_path / "home", FRAUD_MODEL_KEY_FILE=str(tmp_path / "key")) as home:
        version = register(MemoryRegistry(key=KEY), "a model")
        assert register(home.platform.registry, "a model").signature == version.signature  # type: ignore[arg-type]
