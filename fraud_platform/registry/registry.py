"""What a model registry answers and accepts, and how it numbers what it keeps.

How versions are stored does not belong here: `memory_registry` and `mlflow_registry` do that, and both keep the rules
written down in `record_registry`. Whether a model deserves to be released is decided in `release`.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

MODEL_NAME = "fraud_detector"

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)

Stage = Literal["None", "Staging", "Production", "Archived"]
STAGES: tuple[Stage, ...] = get_args(Stage)

_SEMANTIC_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class ModelVersion:
    """One registered model.

    Attributes:
        version: the registry's own number, counting from "1".
        semver: semantic version, "1.0.0" first.
        stage: None (just registered), Staging (the challenger), Production (the champion) or Archived.
        aliases: which of champion, challenger and previous point here.
        digest: `sha256:<64 hex digits>` of the bundle's bytes.
        as_of: the day whose end bounds what the model knows.
        created_at: when it was registered, UTC.
        algorithm: candidate family, such as "xgboost".
        origin: where its training rows came from: landed, replayed or simulated.
        cause: why it was trained, such as "schedule", "drift" or "manual".
        run_id: the tracked training run it came from.
        champion_from: days its reigns as champion began, in the order they were decided.
        feature_schema_version: which feature table it reads.
        rejection: why it must not become champion; None where nothing speaks against it.
        approved_by: who approved its last promotion; None where nobody had to.
        promotion_reason: why it was promoted last.
        shadow_from: first day it scored beside the champion; None where it never did.
        shadow_until: last day it did; None while it does.
        earlier_shadows: first and last day of each shadow before that.
        signature: HMAC of the digest, where models are signed.
    """

    version: str
    semver: str
    stage: Stage
    aliases: tuple[str, ...]
    digest: str
    as_of: date
    created_at: datetime
    algorithm: str
    origin: str
    cause: str
    run_id: str | None
    champion_from: tuple[date, ...]
    feature_schema_version: int
    rejection: str | None = None
    approved_by: str | None = None
    promotion_reason: str | None = None
    shadow_from: date | None = None
    shadow_until: date | None = None
    earlier_shadows: tuple[tuple[date, date], ...] = ()
    signature: str | None = None


SIGNATURE_TAG = "signature"
MOVED_BY_HAND = "the alias champion was moved by hand, past the commands and jobs that write down why"
UNRECORDED_REASON = "not recorded"
# How the reason of a reign begins that a rollback has brought about.
ROLLBACK_REASON = "rollback: "


@dataclass(frozen=True)
class Tenure:
    """Days in a row decided by one version for one reason.

    Attributes:
        version: who decides.
        first_day: the first of these days.
        last_day: the last of them; None while it decides.
        decided_at: when that was decided, UTC; None where nothing is recorded.
        reason: why.
    """

    version: ModelVersion
    first_day: date
    last_day: date | None
    decided_at: datetime | None
    reason: str

    def covers(self, day: date) -> bool:
        """Whether `day` is one of these days."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


class ModelRegistry(Protocol):
    """Where released models live; `version` arguments take a `ModelVersion` or anything `find` understands.

    Every method raises RegistryError, in one line, when the registry cannot be reached or refuses.
    """

    def register(
        self,
        bundle_bytes: bytes,
        *,
        digest: str,
        as_of: date,
        algorithm: str,
        feature_schema_version: int,
        origin: str,
        cause: str,
        run_id: str | None,
        created_at: datetime,
        description: str,
    ) -> ModelVersion:
        """The new version, in stage None; the version that is there already where these very bytes were registered.

        Raises:
            ModelError: `digest` is not that of `bundle_bytes`.
        """
        ...

    def versions(self) -> list[ModelVersion]:
        """Every registered version, oldest first."""
        ...

    def find(self, reference: str) -> ModelVersion:
        """The version behind champion, challenger, previous, a version number or a semantic version.

        Raises:
            RegistryError: there is none; the message lists what exists.
        """
        ...

    def champion_as_of(self, day: date) -> ModelVersion | None:
        """Who decides about the transactions of `day`; None before the first release."""
        ...

    def tenures(self) -> list[Tenure]:
        """Who decides from which day to which, and why, oldest first; empty before the first release."""
        ...

    def first_champion(self) -> ModelVersion | None:
        """The champion of the earliest day that has one; None before the first release."""
        ...

    def read_bytes(self, version: ModelVersion | str, *, from_store: bool = False) -> bytes:
        """The bundle as it was registered; `from_store` passes by what was kept near.

        Raises:
            ModelError: it is missing or its digest is not the registered one.
        """
        ...

    def load(self, version: ModelVersion | str) -> "ModelBundle":
        """The bundle, ready to score, remembered by digest.

        Raises:
            ModelError: it is missing, damaged or not the one that was registered.
        """
        ...

    def claim(self, version: ModelVersion | str, *, at: datetime) -> AbstractContextManager[None]:
        """A block in which nobody else changes the champion.

        Raises:
            RegistryError: somebody else does so now.
        """
        ...

    def promote(
        self,
        version: ModelVersion | str,
        *,
        day: date,
        reason: str,
        promoted_at: datetime,
        notes: Mapping[str, str | None] | None = None,
    ) -> ModelVersion:
        """The version as champion of `day` and every later day; the champion before it becomes previous, Archived.

        A promotion that was interrupted changes nothing or everything for readers (but that `previous` may be missing);
        calling again completes it.
        Promoting who is champion of `day` already changes nothing. `notes` are tags for people, None removes one.

        Raises:
            RegistryError: the version was rejected.
        """
        ...

    def roll_back(
        self, *, day: date, reason: str, rolled_back_at: datetime, notes: Mapping[str, str | None] | None = None
    ) -> ModelVersion:
        """The previous model as champion of `day` and every later day; the champion of now is rejected and Archived.

        `previous` then points at the champion before that one. Calling an interrupted rollback again completes it.

        Raises:
            RegistryError: there is no previous model, or it was rejected.
        """
        ...

    def rollback_target(self) -> ModelVersion:
        """The model that `roll_back` would make champion.

        Raises:
            RegistryError: there is none, or it was rejected.
        """
        ...

    def set_stage(self, version: ModelVersion | str, stage: Stage, *, reason: str) -> ModelVersion:
        """The version in `stage`; Staging makes it the challenger and lifts a rejection.

        Raises:
            RegistryError: it is the champion, or `stage` is Production, which only `promote` gives.
        """
        ...

    def note(self, version: ModelVersion | str, name: str, text: str) -> None:
        """Notes something about the version that no rule of the registry reads, such as an audit trail's head."""
        ...

    def notes(self, name: str) -> dict[str, str]:
        """What was noted under `name`, by version number."""
        ...

    def annotate(self, version: ModelVersion | str, notes: Mapping[str, str | None]) -> ModelVersion:
        """The version with these tags, None removes one; tags that the registry itself keeps are none of them."""
        ...

    def mark_rejected(self, version: ModelVersion | str, reason: str) -> ModelVersion:
        """The version, Archived, with why it must not become champion.

        Raises:
            RegistryError: it is the champion.
        """
        ...


def parse_semantic_version(text: str) -> tuple[int, int, int] | None:
    """(major, minor, patch) of "1.2.3" or "v1.2.3"; None where `text` is something else."""
    match = _SEMANTIC_VERSION.fullmatch(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def next_semantic_version(existing: Iterable[ModelVersion], feature_schema_version: int) -> str:
    """The number after the highest: MAJOR where the model reads other features than that one, else MINOR."""
    numbered = {parse_semantic_version(version.semver) or (0, 0, 0): version for version in existing}
    if not numbered:
        return "1.0.0"
    highest = max(numbered)
    if numbered[highest].feature_schema_version != feature_schema_version:
        return f"{highest[0] + 1}.0.0"
    return f"{highest[0]}.{highest[1] + 1}.0"
