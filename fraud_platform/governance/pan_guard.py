"""Keeps card numbers out: finds them in text and in numbers, and masks them in what people are shown.

What happens to a row that holds one does not belong here; ingestion quarantines it.

A card number (ISO/IEC 7812) has 13 to 19 digits, of which the last is a Luhn check digit, and begins with its issuer:
22-27, 3, 4, 5, 6, 81 or 82 for every payment scheme in use. Requiring all three keeps order numbers, dates and
derived identifiers from being taken for cards.
"""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MASK = "[card number]"

_SHORTEST, _LONGEST = 13, 19
# From here on a float64 no longer tells neighbouring integers apart, so its last digits cannot be checked.
_EXACT_INTEGERS_BELOW = 2**53
# RE2, over bytes: at least 13 digits with at most three spaces or dashes between neighbours. Cheap, and never misses.
_MAYBE = r"[0-9](?:[ -]{0,3}[0-9]){12}"
_SEQUENCE = re.compile(r"[0-9A-Za-z]+(?:[ -]{1,3}[0-9A-Za-z]+)*")
_WORD = re.compile(r"[0-9A-Za-z]+")
_LONG_DIGITS = re.compile(rf"(?<!\d)\d{{{_SHORTEST},{_LONGEST}}}(?!\d)")
# Printed groups are 4-4-4-4, 4-6-5 and the like: at least four digits first, never more than six. That tells them from
# UUIDs (8-4-4-4-12) and from dates.
_SHORTEST_FIRST_GROUP, _LONGEST_GROUP = 4, 6
_HEXADECIMAL = re.compile(r"[0-9a-f]+|[0-9A-F]+")


def is_luhn_valid(digits: str) -> bool:
    """Whether the last of `digits` is the Luhn check digit of those before it (ISO/IEC 7812-1, annex B)."""
    if not (digits.isascii() and digits.isdigit()):
        return False
    total = sum(int(digit) for digit in digits[-1::-2])
    total += sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def holds_card_number(text: str) -> bool:
    """Whether `text` contains a card number, written in one piece or in groups between spaces or dashes."""
    return next(_card_number_spans(text), None) is not None


def mask_card_numbers(text: str) -> str:
    """`text` with every card number replaced by `[card number]`."""
    pieces, position = [], 0
    for start, end in _card_number_spans(text):
        pieces += [text[position:start], MASK]
        position = end
    return "".join(pieces) + text[position:]


def find_card_numbers(texts: pa.Array) -> np.ndarray:
    """Which of `texts` (any Arrow string or binary type, n values) hold a card number: bool [n], False for nulls.

    Bytes that are no text in any encoding do not disturb the search.
    """
    maybe = pc.match_substring_regex(texts.cast(pa.binary()), _MAYBE)
    found = np.zeros(len(texts), dtype=bool)
    positions = np.flatnonzero(maybe.fill_null(False).to_numpy(zero_copy_only=False))
    candidates = texts.cast(pa.binary()).take(pa.array(positions)).to_pylist()
    found[positions] = [holds_card_number(candidate.decode("ascii", "replace")) for candidate in candidates]
    return found


def find_card_numbers_in_floats(values: np.ndarray) -> np.ndarray:
    """Which of `values` (float64 [n]) are a card number read as a number: bool [n].

    Only magnitudes of 13 to 19 digits are looked at, so an ordinary column costs one comparison. From 2**53 on (17
    digits and more) float64 has lost the check digit, and the issuer digits alone decide: better one false alarm.
    """
    magnitudes = np.abs(values)
    found = np.zeros(len(values), dtype=bool)
    positions = np.flatnonzero((magnitudes >= 10.0 ** (_SHORTEST - 1)) & (magnitudes < 10.0**_LONGEST))
    if len(positions):
        found[positions] = [_is_card_integer(int(magnitude)) for magnitude in magnitudes[positions]]
    return found


def _is_card_integer(value: int) -> bool:
    digits = str(value)
    return _has_issuer(digits) and (value >= _EXACT_INTEGERS_BELOW or is_luhn_valid(digits))


def _has_issuer(digits: str) -> bool:
    return digits[0] in "3456" or "22" <= digits[:2] <= "27" or digits[:2] in ("81", "82")


def _is_card_number(digits: str) -> bool:
    return _SHORTEST <= len(digits) <= _LONGEST and _has_issuer(digits) and is_luhn_valid(digits)


def _card_number_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every card number in `text`, left to right, none overlapping."""
    end = 0
    for sequence in _SEQUENCE.finditer(text):
        words = [(word.group(), *word.span()) for word in _WORD.finditer(text, *sequence.span())]
        for index, (word, start, _) in enumerate(words):
            if start < end:
                continue
            if word.isdigit():
                end = _end_of_card_number(words, index) or end
                if end > start:
                    yield start, end
            # A hexadecimal word (UUID, digest, derived identifier) has long runs of digits by chance.
            elif not _HEXADECIMAL.fullmatch(word):
                for run in _LONG_DIGITS.finditer(word):
                    if _is_card_number(run.group()):
                        end = start + run.end()
                        yield start + run.start(), end


def _end_of_card_number(words: list[tuple[str, int, int]], index: int) -> int | None:
    """Where the card number that starts with word `index` ends; None if none does."""
    digits, stop = words[index][0], words[index][2]
    if _is_card_number(digits):
        return stop
    if not _SHORTEST_FIRST_GROUP <= len(digits) <= _LONGEST_GROUP:
        return None
    for word, _, stop in words[index + 1 :]:
        digits += word
        if not word.isdigit() or len(word) > _LONGEST_GROUP or len(digits) > _LONGEST:
            return None
        if _is_card_number(digits):
            return stop
    return None
