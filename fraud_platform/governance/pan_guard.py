"""Keeps card numbers out: finds them in text and in numbers, and masks them in what people are shown.

What happens to a row that holds one does not belong here; ingestion quarantines it.

A card number (ISO/IEC 7812) has 13 to 19 digits, of which the last is a Luhn check digit, and begins with its issuer:
22-27, 3, 4, 5, 6, 81 or 82 for every payment scheme in use. Requiring all three keeps order numbers, dates and
derived identifiers from being taken for cards.
"""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MASK = "[card number]"

_SHORTEST, _LONGEST = 13, 19
# From here on a float64 no longer tells neighbouring integers apart, so its last digits cannot be checked.
_EXACT_INTEGERS_BELOW = 2**53
# RE2, over bytes: at least 13 digits with little between neighbours, or anything beyond ASCII, where digits have other
# shapes. Cheap, and never misses.
_THIRTEEN_DIGITS = r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){12}"
_MAYBE = rf"{_THIRTEEN_DIGITS}|[\x80-\xff]"
_MAYBE_IN_TEXT = re.compile(_THIRTEEN_DIGITS)
# What stands between the groups of a number: spaces and dashes of every width, mixed as people type them, or one and
# the same other character. Dots and commas that separate decimals and amounts never bind a whole number.
_SPACES_AND_DASHES = r"[ \t\u00a0\u2000-\u200b\u202f\u3000\-\u2010-\u2015\u2212]{1,3}"
_SEPARATORS = (_SPACES_AND_DASHES, r"\.", ",", "/", "_", ":", r"\|")
_SEQUENCES = [re.compile(rf"[0-9A-Za-z]+(?:{separator}[0-9A-Za-z]+)*") for separator in _SEPARATORS]
_WORD = re.compile(r"[0-9A-Za-z]+")
_LONG_DIGITS = re.compile(rf"(?<!\d)\d{{{_SHORTEST},{_LONGEST}}}(?!\d)")
# Printed groups are 4-4-4-4, 4-6-5 and the like: at least four digits first, never more than six. That tells them from
# UUIDs (8-4-4-4-12) and from dates. Shorter groups count when all are of one length, as in pairs.
_SHORTEST_FIRST_GROUP, _LONGEST_GROUP = 4, 6
# UUIDs, digests and derived identifiers have long runs of digits by chance; they are told by their lengths.
_HEXADECIMAL = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_HEXADECIMAL_LENGTHS = frozenset({16, 24, 32, 40, 48, 56, 64, 96, 128})


def is_luhn_valid(digits: str) -> bool:
    """Whether the last of `digits` is the Luhn check digit of those before it (ISO/IEC 7812-1, annex B)."""
    if not (digits.isascii() and digits.isdigit()):
        return False
    total = sum(int(digit) for digit in digits[-1::-2])
    total += sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def holds_card_number(text: str) -> bool:
    """Whether `text` contains a card number, written in one piece or in groups, in digits of any script."""
    return bool(_card_number_spans(text))


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
    found[positions] = [holds_card_number(candidate.decode("utf-8", "replace")) for candidate in candidates]
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


def _card_number_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every card number in `text`, left to right, none overlapping."""
    digits = text if text.isascii() else _in_ascii_digits(text)
    if not _MAYBE_IN_TEXT.search(digits):
        return []
    found = sorted(span for pattern in _SEQUENCES for span in _spans_between(pattern, digits))
    spans: list[tuple[int, int]] = []
    for start, end in found:
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _in_ascii_digits(text: str) -> str:
    """`text` with the digits of every script as 0 to 9, character by character."""
    return "".join(str(unicodedata.decimal(letter, letter)) if not letter.isascii() else letter for letter in text)


def _spans_between(sequences: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the card numbers whose groups stand as in `sequences`."""
    for sequence in sequences.finditer(text):
        if sum(letter.isdigit() for letter in sequence.group()) < _SHORTEST:
            continue
        words = [(word.group(), *word.span()) for word in _WORD.finditer(text, *sequence.span())]
        end = 0
        for index, (word, start, _) in enumerate(words):
            if start < end:
                continue
            if word.isdigit():
                end = _end_of_card_number(words, index) or end
                if end > start:
                    yield start, end
            elif not (len(word) in _HEXADECIMAL_LENGTHS and _HEXADECIMAL.fullmatch(word)):
                for run in _LONG_DIGITS.finditer(word):
                    if _is_card_number(run.group()):
                        end = start + run.end()
                        yield start + run.start(), end


def _end_of_card_number(words: list[tuple[str, int, int]], index: int) -> int | None:
    """Where the longest card number that starts with word `index` ends; None if none does."""
    digits, stop = words[index][0], words[index][2]
    if len(digits) > _LONGEST_GROUP:
        return stop if _is_card_number(digits) else None
    is_even = len(digits) < _SHORTEST_FIRST_GROUP
    longest = len(digits) if is_even else _LONGEST_GROUP
    end = None
    for word, _, stop in words[index + 1 :]:
        digits += word
        if not word.isdigit() or len(word) > longest or len(digits) > _LONGEST:
            break
        if _is_card_number(digits):
            end = stop
        if is_even and len(word) < longest:
            break
    return end
