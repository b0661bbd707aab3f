"""Columns that must not exist here: told by their names, whatever they hold.

Numbers in values belong to `pan_guard`. A security code is three digits and a name is any text, so neither can be told
from its value; the name of the column is all there is to go by.
"""

import re
from collections.abc import Iterable

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Each as the words of a name in lower case, joined; what such a column would hold.
_KINDS = {
    "a card number": (
        r"pan|pans|(?:masked|full|raw|card)pan|pan(?:number|no|num)|primaryaccount(?:number|no|num)?"
        r"|(?:credit|debit|payment|bank)?card(?:number|no|num|nr)s?|cc(?:number|no|num|n)?|(?:credit|debit)card"
    ),
    "a card security code": (
        r"(?:card)?(?:cvv|cvc|csc|cav|cvn|cvd)\d?(?:code|value|number)?|(?:card)?(?:security|verification)(?:code|value|number)"
        r"|(?:card)?pin(?:block|code|number)?|track\d?(?:data)?|mag(?:netic)?stripe(?:data)?"
    ),
    "a card's expiry date": r"(?:card)?(?:expiry|expiration|exp)(?:date|month|year|mmyy)?|validthru|validuntil",
    "a person's name": (
        r"name|names|(?:card)?holder(?:full)?(?:name)?s?|nameoncard|(?:account|card)(?:holder|owner)s?(?:full)?(?:name)?"
        r"|(?:customer|client|cardholder|person|payer|owner|billing)s?(?:full|first|last)?name"
        r"|(?:first|last|full|given|family|middle|maiden|sur)name"
    ),
}
_FORBIDDEN = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}


def forbidden_kind(name: str) -> str | None:
    """What a column called `name` would hold of a card or its holder; None where nothing speaks for it."""
    joined = "".join(word.lower() for word in _WORDS.findall(name))
    return next((kind for kind, pattern in _FORBIDDEN.items() if pattern.fullmatch(joined)), None)


def forbidden_columns(names: Iterable[str]) -> dict[str, str]:
    """The columns among `names` that must not exist here, and what each would hold."""
    kinds = {name: forbidden_kind(name) for name in names}
    return {name: kind for name, kind in kinds.items() if kind}
