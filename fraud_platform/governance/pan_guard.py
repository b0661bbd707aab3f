"""Keeps card numbers out: finds them in text and in numbers, and masks them in what people are shown.

What happens to a row that holds one does not belong here; ingestion quarantines it.

A card number (ISO/IEC 7812) has 13 to 19 digits, of which the last is a Luhn check digit, and begins with its issuer:
22-27, 3, 4, 5, 6, 81, 82, 9792 or 9891 for every payment scheme that banks issue for. Requiring all three keeps order
numbers, dates and derived identifiers from being taken for cards.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MASK = "[card number]"

_SHORTEST, _LONGEST = 13, 19
# From here on a float64 no longer tells neighbouring integers apart, so its last digits cannot be checked.
_EXACT_INTEGERS_BELOW = 2**53
# RE2, over bytes: everything that `_card_number_spans` could find, and little else. A long run of digits or printed
# groups behind an issuer's digits; two long groups; five and more short ones; a power of ten; or anything beyond
# ASCII, where digits may look other.
_ISSUER = r"(?:^|[^0-9])0*(?:[3-6]|2[2-7]|8[12]|9792|9891)"
_BETWEEN = r"[^0-9A-Za-z]{1,9}"
# Thirteen digits, whatever the issuer's are.
_LONG_RUN = r"(?:^|[^0-9])0*(?:[3-6][0-9]{12}|(?:2[2-7]|8[12])[0-9]{11}|(?:9792|9891)[0-9]{9})"
_PRINTED_GROUPS = rf"{_ISSUER}[0-9]{{0,5}}(?:{_BETWEEN}[0-9]{{1,6}}){{2}}"
_LONG_GROUPS = rf"{_ISSUER}[0-9]{{0,14}}[\x00-\x20\x7f]{{1,6}}[0-9]{{4}}"
_SHORT_GROUPS = rf"[0-9]{{1,3}}(?:{_BETWEEN}[0-9]{{1,3}}){{4}}"
_POWER = r"[0-9][.,][0-9]{9,18}[eE]"
_ESCAPED = r"[0-9]%[0-9A-Fa-f]{2}[0-9]"
_MAYBE = "|".join((_LONG_RUN, _PRINTED_GROUPS, _LONG_GROUPS, _SHORT_GROUPS, _POWER, _ESCAPED, r"[\x80-\xff]"))
# The only digits of a text, in one run: an order number, mostly, and judged without looking at each in Python.
_ONE_RUN = r"^[^0-9\x80-\xff]*[1-9][0-9]{12,18}[^0-9\x80-\xff]*$"
_MAYBE_IN_TEXT = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,9}[0-9]){12}|[0-9][.,][0-9]{9,18}[eE]")
# What stands between the groups of a number, once `_fold` has made one of all spaces and one of all dashes: these two,
# mixed as people type them, or one and the same other character. Dots and commas that separate decimals and amounts
# never bind a whole number.
_SPACES = r"[\x00-\x20\x7f]{1,6}"
_SPACES_AND_DASHES = r"[\x00-\x20\x7f-]{1,6}"
_AROUND = r"[\x00-\x20\x7f]{0,2}"
_SEPARATOR = re.compile(rf"(?<=[0-9]){_AROUND}([^0-9A-Za-z\x00-\x20\x7f-])(?={_AROUND}[0-9])")
# What addresses make of spaces and other separators; as many spaces take its place.
_ESCAPES = re.compile("%[0-9A-Fa-f]{2}")
_WORD = re.compile(r"[0-9A-Za-z]+")
_LONG_DIGITS = re.compile(rf"(?<![0-9])0*([1-9][0-9]{{{_SHORTEST - 1},{_LONGEST - 1}}})(?![0-9])")
# A number as spreadsheets show long ones: 4.111111111111111E+15.
_POWER_OF_TEN = re.compile(r"(?<![0-9.,])([1-9])[.,]([0-9]{9,18})[eE]\+?([0-9]{1,2})(?![0-9])")
# Printed groups are 4-4-4-4, 4-6-5 and the like: at least four digits first, never more than six. That tells them from
# UUIDs (8-4-4-4-12) and from dates. Between spaces alone, groups may be longer. Shorter groups count when all are of
# one length, as in pairs, or the first is shorter, as in thousands.
_SHORTEST_FIRST_GROUP, _LONGEST_GROUP = 4, 6
_THOUSANDS = 3
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
    texts = texts.cast(pa.binary())
    found = np.zeros(len(texts), dtype=bool)
    positions = _matching(texts, _MAYBE)
    if not len(positions):
        return found
    candidates = texts.take(pa.array(positions))
    is_suspect = np.ones(len(candidates), dtype=bool)
    runs = _matching(candidates, _ONE_RUN)
    is_suspect[runs] = _are_card_numbers(pc.replace_substring_regex(candidates.take(pa.array(runs)), "[^0-9]+", ""))
    suspects = candidates.filter(pa.array(is_suspect)).to_pylist()
    found[positions[is_suspect]] = [holds_card_number(suspect.decode("utf-8", "replace")) for suspect in suspects]
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


def _matching(texts: pa.Array, pattern: str) -> np.ndarray:
    """The positions of the texts in which `pattern` occurs."""
    return np.flatnonzero(pc.match_substring_regex(texts, pattern).fill_null(False).to_numpy(zero_copy_only=False))


def _is_card_integer(value: int) -> bool:
    digits = str(value)
    return _has_issuer(digits) and (value >= _EXACT_INTEGERS_BELOW or is_luhn_valid(digits))


def _has_issuer(digits: str) -> bool:
    return digits[0] in "3456" or "22" <= digits[:2] <= "27" or digits.startswith(("81", "82", "9792", "9891"))


def _is_card_number(digits: str) -> bool:
    return _SHORTEST <= len(digits) <= _LONGEST and _has_issuer(digits) and is_luhn_valid(digits)


def _are_card_numbers(runs: pa.Array) -> np.ndarray:
    """Which of `runs` (texts of 13 to 19 digits) are card numbers: bool [n]; the same as `_is_card_number` of each."""
    _, offsets, letters = runs.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[runs.offset :][: len(runs) + 1]
    content = np.frombuffer(letters, dtype=np.uint8) - ord("0")
    starts, ends = bounds[:-1], bounds[1:]
    lengths = ends - starts
    digits = np.zeros((_LONGEST, len(runs)), dtype=np.uint8)
    for place in range(_LONGEST):
        # Counted from the check digit; beyond the first digit there are zeros, which add nothing to the sum.
        has_place = place < lengths
        digits[place, has_place] = content[(ends - 1 - place)[has_place]]
    doubled = digits[1::2] * 2
    total = digits[0::2].sum(axis=0, dtype=np.int64) + (doubled - 9 * (doubled > 9)).sum(axis=0, dtype=np.int64)  # noqa: PLR2004
    first, two = content[starts], content[starts] * 10 + content[starts + 1]
    four = np.int64(100) * two + 10 * content[starts + 2] + content[starts + 3]
    is_range = ((first >= 3) & (first <= 6)) | ((two >= 22) & (two <= 27))  # noqa: PLR2004 - as in `_has_issuer`
    has_issuer = is_range | np.isin(two, (81, 82)) | np.isin(four, (9792, 9891))
    is_card: np.ndarray = (total % 10 == 0) & has_issuer
    return is_card


def _card_number_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every card number in `text`, left to right, none overlapping."""
    folded, places = _fold(text)
    if not _MAYBE_IN_TEXT.search(folded):
        return []
    found = list(_powers_of_ten(folded))
    found += _spans_between(_sequences(_SPACES), folded, longest_group=_LONGEST)
    found += _spans_between(_sequences(_SPACES_AND_DASHES), folded)
    for separator in dict.fromkeys(_SEPARATOR.findall(folded)):
        found += _spans_between(_sequences(_AROUND + re.escape(separator) + _AROUND), folded)
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return [(places[start], places[end - 1] + 1) for start, end in spans]


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """`text` as ASCII shows it, as far as it can, and where each character of that stands in `text`.

    Digits of every script are 0 to 9, spaces and dashes of every width are one; what nobody sees is left out.
    """
    if "%" in text:
        text = _ESCAPES.sub("   ", text)
    if text.isascii():
        return text, range(len(text))
    folded = [(_fold_letter(letter), place) for place, letter in enumerate(text)]
    return "".join(letter for letter, _ in folded), [place for letter, place in folded if letter]


@lru_cache(maxsize=4096)
def _fold_letter(letter: str) -> str:
    if letter.isascii():
        return letter
    digit = unicodedata.digit(letter, None)
    if digit is not None:
        return str(digit)
    kind = unicodedata.category(letter)
    if kind in ("Cf", "Mn", "Me"):
        return ""
    if kind.startswith("Z") or kind == "Cc":
        return " "
    if kind == "Pd" or letter == "\u2212":
        return "-"
    # The full-width and small forms of what ASCII has.
    plain = unicodedata.normalize("NFKC", letter)
    return plain if len(plain) == 1 and plain.isascii() else letter


@lru_cache(maxsize=1024)
def _sequences(separator: str) -> re.Pattern[str]:
    return re.compile(rf"[0-9A-Za-z]+(?:{separator}[0-9A-Za-z]+)*")


def _powers_of_ten(text: str) -> Iterator[tuple[int, int]]:
    for power in _POWER_OF_TEN.finditer(text):
        first, rest, exponent = power.groups()
        if len(rest) <= int(exponent) < _LONGEST and _is_card_number(first + rest.ljust(int(exponent), "0")):
            yield power.span()


def _spans_between(
    sequences: re.Pattern[str], text: str, *, longest_group: int = _LONGEST_GROUP
) -> Iterator[tuple[int, int]]:
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
                end = _end_of_card_number(words, index, longest_group) or end
                if end > start:
                    yield start, end
            elif not (len(word) in _HEXADECIMAL_LENGTHS and _HEXADECIMAL.fullmatch(word)):
                for run in _LONG_DIGITS.finditer(word):
                    if _is_card_number(run[1]):
                        end = start + run.end()
                        yield start + run.start(), end


def _end_of_card_number(words: list[tuple[str, int, int]], index: int, longest_group: int) -> int | None:
    """Where the longest card number that starts with word `index` ends; None if none does."""
    digits, stop = words[index][0], words[index][2]
    # Fields of a fixed width are filled up with zeros.
    end = stop if _is_card_number(digits.lstrip("0")) else None
    if len(digits) > longest_group:
        return end
    is_even = len(digits) < _SHORTEST_FIRST_GROUP
    longest = len(digits) if is_even else longest_group
    if is_even and words[index + 1 :] and len(words[index + 1][0]) == _THOUSANDS:
        longest = _THOUSANDS
    for word, _, stop in words[index + 1 :]:
        digits += word
        if not word.isdigit() or len(word) > longest or len(digits) > _LONGEST:
            break
        if _is_card_number(digits):
            end = stop
        if is_even and len(word) < longest:
            break
    return end
