"""A life with a key: training, release, decisions and rollback; then with another key, and with none."""

import pytest

from fraud_platform.errors import PlatformError
from fraud_platform.settings import load_settings
from fraud_platform_tests.platform_home import PlatformHome, day_number

LEARNED, FIFTH, SIXTH = (day_number(number) for number in (4, 5, 6))
DECIDED = ("raw_transactions", "confirmed_labels", "features", "daily_predictions")


def test_signed_models_live_as_others_do_and_nothing_else_decides(copied_home, tmp_path, monkeypatch, type_in):
    key, other = tmp_path / "key", tmp_path / "other"
    key.write_text("k" * 32)
    other.write_text("o" * 32)
    monkeypatch.setenv("FRAUD_CANDIDATES", '["logistic_regression"]')
    monkeypatch.setenv("FRAUD_MODEL_KEY_FILE", str(key))
    copied_home.land([FIFTH, SIXTH])

    def home() -> PlatformHome:
        return PlatformHome(load_settings(), copied_home.instance)

    def champion() -> str:
        return str(home().platform.registry.find("champion").version)

    # The champion of before there was a key.
    with pytest.raises(PlatformError, match=r"version 1 is not signed.*`fraud-platform sign 1`") as refused:
        home().materialise(DECIDED, FIFTH)
    assert "\n" not in str(refused.value)
    assert type_in("sign", "1").code == 0
    home().materialise(DECIDED, FIFTH)
    home().retrain(LEARNED)
    assert [version.signature is not None for version in home().platform.registry.versions()] == [True, True]
    answer = type_in("promote", "2", "--reason", "a try")
    assert (answer.code, champion()) == (0, "2"), answer.err
    home().materialise(DECIDED, SIXTH)
    assert home().store.read_table_metadata("daily_predictions", SIXTH)["model_version"] == "2"

    said = {other: "is signed with another key than that of FRAUD_MODEL_KEY_FILE", tmp_path / "no": "cannot be read"}
    for file, words in said.items():
        monkeypatch.setenv("FRAUD_MODEL_KEY_FILE", str(file))
        for attempt in (lambda: home().materialise(["daily_predictions"], SIXTH), lambda: home().retrain(LEARNED)):
            with pytest.raises(PlatformError, match=words) as refused:
                attempt()
            assert "\n" not in str(refused.value)
        for command in (("promote", "1", "--reason", "x"), ("rollback", "--reason", "x"), ("doctor",)):
            answer = type_in(*command)
            assert (answer.code, "Traceback" in answer.err) == (1, False)
            assert words in " ".join((answer.out + answer.err).split()), command
            assert "start the MLflow server" not in answer.out
        monkeypatch.setenv("FRAUD_MODEL_KEY_FILE", str(key))
        assert champion() == "2"
    assert type_in("rollback", "--reason", "worse").code == 0
    assert champion() == "1"

    monkeypatch.delenv("FRAUD_MODEL_KEY_FILE")
    home().materialise(["daily_predictions"], SIXTH)
    answer = type_in("doctor")
    assert answer.code == 1
    assert "the champion is signed, but FRAUD_MODEL_KEY_FILE is not set" in answer.out
