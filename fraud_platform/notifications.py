"""Tells people what happened, over whatever Apprise can reach: chat, mail, a pager, a web hook.

A target that cannot be reached is tried again later, and only that one. What is worth telling, and where undelivered
messages are kept, belongs to the sensor. The targets' URLs hold secrets: nothing here prints or logs one.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from fraud_platform.errors import PlatformError
from fraud_platform.governance.pan_guard import mask_card_numbers

# A target that was down longer than this is told of what happens from then on.
KEPT_FOR = timedelta(days=3)

Kind = Literal["info", "warning", "failure"]


class Channel(Protocol):
    """What Apprise makes of a URL; fakes of tests are one, too."""

    def notify(self, body: str, title: str = "", notify_type: Any = ...) -> Any:
        """Whether the message was taken."""
        ...


@dataclass(frozen=True)
class Target:
    """Somebody to tell.

    Attributes:
        name: what logs call it: its place in the list and its scheme.
        digest: what it is known by while a message waits for it; tells nothing of the URL.
        channel: how it is reached.
    """

    name: str
    digest: str
    channel: Channel


@dataclass(frozen=True)
class Message:
    """What is told, and to whom it still has to be.

    Attributes:
        title: what happened, in a few words.
        body: the whole story, in a few lines.
        kind: how bad it is.
        at: when it happened, ISO 8601, UTC.
        waiting: the digests of those who have not got it yet.
    """

    title: str
    body: str
    kind: Kind
    at: str
    waiting: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The message as a JSON document."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Message":
        """The message that `as_dict` wrote."""
        return cls(**{**document, "waiting": tuple(document["waiting"])})


@dataclass(frozen=True)
class Delivery:
    """What one attempt came to.

    Attributes:
        sent: messages that were taken, counted once per target.
        left: messages that somebody has not got yet.
        unreachable: names of the targets that did not take one.
        given_up: titles of messages that were too old to be tried again.
    """

    sent: int
    left: tuple[Message, ...]
    unreachable: tuple[str, ...]
    given_up: tuple[str, ...]


def open_targets(urls: Sequence[str]) -> list[Target]:
    """Whom the URLs reach; nobody is contacted.

    Raises:
        PlatformError: one of them is none that Apprise knows; the message tells which, not what it holds.
    """
    if not urls:
        return []
    import apprise

    # It logs URLs that it cannot read as they are, and what its services answer.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    targets = []
    for number, url in enumerate(urls, start=1):
        scheme = url.partition("://")[0] if "://" in url else "no scheme"
        name = f"target {number} ({scheme if scheme.isalnum() else 'no scheme'}://****)"
        channel = apprise.Apprise.instantiate(url)
        if channel is None:
            raise PlatformError(
                f"{name} of FRAUD_ALERT_URLS and FRAUD_ALERT_URLS_FILE is no URL that Apprise knows; correct it, or "
                "leave it out"
            )
        targets.append(Target(name, hashlib.sha256(url.encode()).hexdigest()[:16], channel))
    return targets


def addressed(messages: Iterable[Message], targets: Iterable[Target]) -> list[Message]:
    """The messages, waiting for every target."""
    waiting = tuple(target.digest for target in targets)
    return [replace(message, waiting=waiting) for message in messages]


def deliver(
    messages: Iterable[Message],
    targets: Sequence[Target],
    *,
    now: datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> Delivery:
    """Sends each message, oldest first, to whoever still waits for it.

    A target that does not take one is left alone until the next call, so that its messages keep their order and nobody
    waits for it again and again. A target that is not among `targets` any more gets nothing.
    """
    by_digest = {target.digest: target for target in targets}
    unreachable: dict[str, str] = {}
    left, given_up, sent = [], [], 0
    for message in messages:
        still = []
        for digest in message.waiting:
            target = by_digest.get(digest)
            if target is None:
                continue
            if digest in unreachable or not has_time():
                still.append(digest)
            elif _is_taken(target, message):
                sent += 1
            else:
                unreachable[digest] = target.name
                still.append(digest)
        if still and now - datetime.fromisoformat(message.at) > KEPT_FOR:
            given_up.append(message.title)
        elif still:
            left.append(replace(message, waiting=tuple(still)))
    return Delivery(sent, tuple(left), tuple(unreachable.values()), tuple(given_up))


def _is_taken(target: Target, message: Message) -> bool:
    title, body = mask_card_numbers(message.title), mask_card_numbers(message.body)
    return bool(target.channel.notify(body=body, title=title, notify_type=message.kind))
