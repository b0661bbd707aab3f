"""Columns of card data are told by their names, however they are written; the platform's own are not."""

import pytest

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.governance.card_columns import forbidden_columns, forbidden_kind
from fraud_platform.ingestion.schema import RAW_TRANSACTIONS_COLUMNS
from fraud_platform.scoring.schema import PREDICTION_COLUMNS

CODE, NUMBER, EXPIRY, NAME = (
    "a card security code",
    "a card number",
    "a card's expiry date",
    "a person's name",
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(
            (name, CODE)
            for name in ("cvv", "CVV2", "cvc_code", "Card Security Code", "CardCvv", "pin", "track2", "CSC")
        ),
        *((name, NUMBER) for name in ("pan", "PAN", "card_number", "cardNumber", "Credit Card No", "cc-number")),
        *((name, EXPIRY) for name in ("expiry_date", "ExpirationMonth", "exp date", "valid_thru")),
        *((name, NAME) for name in ("cardholder", "Cardholder Name", "card_holder_name", "first_name", "NAME")),
        *((name, NAME) for name in ("lastName", "nameOnCard", "customer_name", "surname")),
    ],
)
def test_columns_of_card_data_are_told_by_their_names(name, kind):
    assert forbidden_kind(name) == kind


@pytest.mark.parametrize(
    "name",
    [
        *RAW_TRANSACTIONS_COLUMNS,
        *FEATURE_NAMES,
        *PREDICTION_COLUMNS,
        "",
        "Merchant",
        "company",
        "spin",
        "card_type",
        "expense",
    ],
)
def test_other_columns_are_not(name):
    assert forbidden_kind(name) is None


def test_only_the_forbidden_are_listed():
    assert forbidden_columns(["Time", "cvv", "V1", "Name"]) == {"cvv": CODE, "Name": NAME}
