"""Card numbers are found however they are written, and what merely looks like one is left alone."""

import uuid

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.governance.pan_guard import (
    MASK,
    find_card_numbers,
    find_card_numbers_in_floats,
    holds_card_number,
    is_luhn_valid,
    mask_card_numbers,
)

# Published by the schemes for testing; no such account exists.
TEST_CARDS = [
    "4111111111111111",  # Visa
    "4222222222222",  # Visa, 13 digits
    "5555555555554444",  # Mastercard
    "2223003122003222",  # Mastercard, second range
    "378282246310005",  # American Express, 15 digits
    "30569309025904",  # Diners Club, 14 digits
    "6011111111111117",  # Discover
    "3530111333300000",  # JCB
    "6205500000000000004",  # UnionPay, 19 digits
    "9792030000000000",  # Troy
]


@pytest.mark.parametrize("card", TEST_CARDS)
def test_published_test_cards_are_found_alone_in_text_and_as_numbers(card: str) -> None:
    assert is_luhn_valid(card)
    assert holds_card_number(card)
    assert holds_card_number(f"paid with {card}.")
    assert find_card_numbers_in_floats(np.array([float(card), -float(card)])).all()


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "4111 - 1111 - 1111 - 1111",
        "2026-01-01 4111111111111111",  # a date in front
        "12.50 4111 1111 1111 1111",  # an amount in front
        "20260101-4111111111111111",  # a date glued on
        "PAN4111111111111111",  # letters glued on
        "day.4111111111111111.csv",
        "abc4111111111111111",  # hexadecimal letters, but no digest
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111_1111_1111_1111",
        "4111,1111,1111,1111",
        "4111:1111:1111:1111",
        "4111|1111|1111|1111",
        "4111\t1111\t1111\t1111",
        "4111\u00a01111\u00a01111\u00a01111",  # no-break spaces
        "4111\u20131111\u20131111\u20131111",  # en dashes
        "4111 1111-1111 1111",  # as people type
        "41 11 11 11 11 11 11 11",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "378 282 246 310 005",
        "\uff14" + "\uff11" * 15,  # full-width digits
        "\u0664" + "\u0661" * 15,  # Arabic-Indic digits
        "\u2463" + "\u2460" * 15,  # digits in circles
        "4111\u200c1111\u200d1111\u20601111",  # characters that nobody sees
        "\ufeff".join("4111111111111111"),  # the same between any two digits
        "4111\u00ad111111111111",  # a soft hyphen
        "4\ufe0f\u20e3111111111111111",  # a keycap
        "4111\uff0d1111\uff0d1111\uff0d1111",  # full-width dashes
        "4111\u00b71111\u00b71111\u00b71111",  # middle dots
        "4111'1111'1111'1111",
        "4111+1111+1111+1111",
        "4111; 1111; 1111; 1111",
        "4111\n1111\r\n1111\x001111",
        "4111%201111%201111%201111.csv",  # in an address
        "41111111 11111111",  # long groups between spaces
        "4111 111111111111",
        "4,111,111,111,111,111",  # thousands
        "00004111111111111111",  # filled up with zeros
        "4.111111111111111E+15",  # as a spreadsheet shows it
        "4111111111111111.0",
    ],
)
def test_card_numbers_are_found_in_groups_and_next_to_other_text(text: str) -> None:
    assert holds_card_number(text)
    assert MASK in mask_card_numbers(text)
    assert not holds_card_number(mask_card_numbers(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",  # wrong check digit
        "411111111111",  # 12 digits
        "0000000000000000",  # passes Luhn, but no issuer begins with 0
        "20260101000118",  # passes Luhn, but is a date and a number
        "d41d8cd98f00b204e9800998ecf8427e",  # a digest
        "2026-01-01T12:34:56.789012",
        "5500.12 4111.11 1111.11 1111.55",  # amounts: no separator runs through
        "5555-55555555-4444",  # a group of eight
        "52:54:00:12:34:56",
        "a411111111111111",  # a derived identifier's sixteen hexadecimal digits
        "1764072000000000",  # microseconds since 1970
        "4.111111111111111E+19",  # 20 digits
        "99994111111111111111999",  # within a longer number
        "49 170 12345678",  # a telephone
    ],
)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    assert not holds_card_number(text)
    assert mask_card_numbers(text) == text


def test_masking_keeps_everything_around_the_numbers() -> None:
    assert mask_card_numbers("a 4111 1111 1111 1111, b 378282246310005!") == f"a {MASK}, b {MASK}!"


@given(st.uuids())
def test_uuids_are_never_card_numbers(identifier: uuid.UUID) -> None:
    assert not holds_card_number(str(identifier))


@given(st.integers(0, 10**18 - 1))
def test_exactly_one_last_digit_makes_a_number_luhn_valid(payload: int) -> None:
    assert sum(is_luhn_valid(f"{payload}{digit}") for digit in range(10)) == 1


@given(st.text())
def test_any_text_can_be_masked_and_then_holds_none(text: str) -> None:
    assert not holds_card_number(mask_card_numbers(text))


SEPARATORS = [
    "",
    " ",
    "-",
    " - ",
    ".",
    "/",
    "_",
    ":",
    "\u00a0",
    "\u2013",
    "x",
    "  ",
    "..",
    "\u200d",
    "'",
    "; ",
    "%20",
    "\n",
    "+",
]


@st.composite
def written_cards(draw: st.DrawFn) -> str:
    """A card number in groups of any kind, with anything between and around them."""
    rest, groups = draw(st.sampled_from(TEST_CARDS)), []
    sizes = draw(st.sampled_from([(4,), (6,), (4, 6, 5), (2,), (1,), (3,), (1, 3), (13,), (8,), (1, 16)]))
    while rest:
        size = sizes[min(len(groups), len(sizes) - 1)]
        groups.append(rest[:size])
        rest = rest[size:]
    separator = draw(st.sampled_from(SEPARATORS))
    around = st.text("0123456789abcxyzABCE .,-_/:%", max_size=4)
    return draw(around) + separator.join(groups) + draw(around)


@st.composite
def almost_cards(draw: st.DrawFn) -> str:
    """Order numbers: letters around one run of digits."""
    digits = draw(st.integers(10**11, 10**20 - 1))
    return f"{draw(st.sampled_from(['', 'TXN', 'a', 'tx-', ' ']))}{digits}{draw(st.sampled_from(['', 'f', ' x', '-']))}"


# The first search of a process compiles and imports, whatever the example.
@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.sampled_from(TEST_CARDS), st.text(), written_cards(), almost_cards())))
def test_the_search_over_a_column_is_the_search_over_each_text(texts: list[str | None]) -> None:
    expected = [text is not None and holds_card_number(text) for text in texts]
    assert find_card_numbers(pa.array(texts, pa.string())).tolist() == expected


def test_a_column_that_is_no_text_in_any_encoding_can_be_searched() -> None:
    assert find_card_numbers(pa.array([b"\xff\x00", b"\xff 4111111111111111"])).tolist() == [False, True]


@given(st.floats(-1e11, 1e11) | st.just(np.nan) | st.just(np.inf))
def test_ordinary_values_are_never_card_numbers(value: float) -> None:
    assert not find_card_numbers_in_floats(np.array([value])).any()
