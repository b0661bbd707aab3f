"""The signature of a registered model: who holds the key registered these bytes, or vouched for them later.

A digest tells that a bundle is the one the registry names; whoever writes the registry names another. Without the key
nobody can sign that one. Reading and keeping versions does not belong here (`record_registry`).
"""

import hmac

from fraud_platform.errors import ModelError
from fraud_platform.governance.keys import read_key
from fraud_platform.registry.registry import ModelVersion

SETTING = "FRAUD_MODEL_KEY_FILE"
# What is signed says what it is: a signature of anything else, made with the same key, is none of a model.
_PURPOSE = b"fraud-platform model bundle\n"


def read_model_key(file: str) -> bytes | None:
    """The key in the file of `FRAUD_MODEL_KEY_FILE`; None where none is named and models are not signed.

    Raises:
        PlatformError: it cannot be read, or is too short.
    """
    return read_key(file, setting=SETTING)


def sign_model(digest: str, key: bytes) -> str:
    """HMAC-SHA256 of a bundle's digest (`sha256:<64 hex digits>`): 64 hex digits."""
    return hmac.new(key, _PURPOSE + digest.encode(), "sha256").hexdigest()


def is_signed_by(version: ModelVersion, key: bytes) -> bool:
    """Whether the holder of `key` signed the bundle of `version`."""
    # As bytes: a text that is not ASCII cannot be compared.
    return hmac.compare_digest((version.signature or "").encode(), sign_model(version.digest, key).encode())


def require_signature(version: ModelVersion, key: bytes | None) -> None:
    """Nothing, where there is no key or `version` is signed with it.

    Raises:
        ModelError: it is not signed, or by somebody else.
    """
    if key is None or is_signed_by(version, key):
        return
    if version.signature is None:
        raise ModelError(
            f"version {version.version} is not signed, and {SETTING} is set; where it is yours, sign it with "
            f"`fraud-platform sign {version.version}`"
        )
    raise ModelError(
        f"version {version.version} is signed with another key than that of {SETTING}, or another bundle was put in "
        "its place: do not use it, promote another version"
    )
