"""Estimators: explanations add up, files carry the same model, nothing in a file can run."""

import io
import json
import zipfile

import numpy as np
import pytest

from fraud_platform.errors import ModelError
from fraud_platform.training.archive import write_archive
from fraud_platform.training.ensembles import EnsembleEstimator
from fraud_platform.training.estimators import (
    MANY_ROWS,
    Estimator,
    LightGBMEstimator,
    LogisticRegressionEstimator,
    XGBoostEstimator,
)
from fraud_platform.training.forest import RandomForestEstimator
from fraud_platform.training.model_files import load_estimator
from fraud_platform.training.scikit_files import dump_estimator
from fraud_platform.training.scikit_files import load_estimator as load_scikit_estimator

FEATURE_COUNT = 6

# shap colours its plots, on import, in a way that matplotlib will drop.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning"),
    # What shap says to whoever explains a LightGBM model, whatever its output.
    pytest.mark.filterwarnings("ignore:LightGBM binary classifier:UserWarning"),
]


def rows(count: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, FEATURE_COUNT)).astype(np.float32)
    noise = generator.normal(size=count)
    return features, (features[:, 0] - 0.7 * features[:, 1] * features[:, 2] + 0.3 * noise > 1.2).astype(np.int8)


def fit_xgboost() -> XGBoostEstimator:
    import xgboost

    features, labels = rows()
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "eta": 0.3, "seed": 0}
    return XGBoostEstimator(xgboost.train(settings, xgboost.DMatrix(features, labels), num_boost_round=20))


def fit_lightgbm() -> LightGBMEstimator:
    import lightgbm

    features, labels = rows()
    settings = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1, "deterministic": True}
    return LightGBMEstimator(lightgbm.train(settings, lightgbm.Dataset(features, labels), num_boost_round=20))


def fit_logistic_regression() -> LogisticRegressionEstimator:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [("standardise", StandardScaler()), ("regress", LogisticRegression())]
    return LogisticRegressionEstimator(Pipeline(steps).fit(*rows()))


def fit_random_forest() -> RandomForestEstimator:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestEstimator(RandomForestClassifier(15, max_depth=4, random_state=0).fit(*rows()))


FITS = {
    "xgboost": fit_xgboost,
    "lightgbm": fit_lightgbm,
    "logistic_regression": fit_logistic_regression,
    "random_forest": fit_random_forest,
}


def fit_ensemble() -> EnsembleEstimator:
    return EnsembleEstimator([fit_xgboost(), fit_lightgbm()])


@pytest.fixture(scope="module", params=FITS)
def estimator(request: pytest.FixtureRequest) -> Estimator:
    return FITS[request.param]()


def log_odds(probability: np.ndarray) -> np.ndarray:
    return np.log(probability) - np.log1p(-probability)


def test_base_and_contributions_add_up_to_the_log_odds_of_the_probability(estimator: Estimator) -> None:
    features, _ = rows(200, seed=1)
    contributions, base = estimator.contributions(features)
    assert contributions.shape == (200, FEATURE_COUNT)
    assert contributions.dtype == np.float64
    expected = log_odds(estimator.predict_probability(features))
    np.testing.assert_allclose(contributions.sum(axis=1) + base, expected, atol=2e-5)


def test_contributions_are_those_of_the_shap_library(estimator: Estimator) -> None:
    import shap

    features, _ = rows(60, seed=2)
    contributions, base = estimator.contributions(features)
    if isinstance(estimator, LogisticRegressionEstimator):
        scaler, regression = (step for _, step in estimator.pipeline.steps)
        training_rows = scaler.transform(rows()[0])
        # The masker keeps 100 rows unless told; coefficients are explained against the mean of all of them.
        masker = shap.maskers.Independent(training_rows, max_samples=len(training_rows))
        expected = shap.LinearExplainer(regression, masker)(scaler.transform(features))
        np.testing.assert_allclose(contributions, expected.values, atol=1e-6)
        return
    if isinstance(estimator, RandomForestEstimator):
        votes = shap.TreeExplainer(estimator.forest).shap_values(features)[:, :, 1]
        # Same proportions within each row, and the same sign.
        share = contributions / np.abs(contributions).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(share, votes / np.abs(votes).sum(axis=1, keepdims=True), atol=1e-9)
        return
    explainer = shap.TreeExplainer(estimator.booster)
    np.testing.assert_allclose(contributions, explainer.shap_values(features), atol=1e-5)
    assert base == pytest.approx(float(np.ravel(explainer.expected_value)[-1]), abs=1e-5)


def test_an_ensemble_is_explained_by_the_mean_of_what_the_shap_library_says_of_its_members() -> None:
    import shap

    features, _ = rows(60, seed=2)
    ensemble = fit_ensemble()
    explainers = [shap.TreeExplainer(member.booster) for member in ensemble.members]
    for row_total in (0, MANY_ROWS):
        contributions, base = ensemble.contributions(features, row_total)
        expected = np.mean([explainer.shap_values(features) for explainer in explainers], axis=0)
        np.testing.assert_allclose(contributions, expected, atol=1e-5)
        np.testing.assert_allclose(contributions.sum(axis=1) + base, ensemble.predict_log_odds(features), atol=2e-5)


def test_many_rows_are_explained_as_few_are(estimator: Estimator) -> None:
    features, _ = rows(200, seed=6)
    few, base = estimator.contributions(features)
    many, same_base = estimator.contributions(features, MANY_ROWS)
    np.testing.assert_allclose(many, few, atol=1e-5)
    assert same_base == pytest.approx(base, abs=1e-6)
    assert estimator.contributions(features[:0], MANY_ROWS)[0].shape == (0, FEATURE_COUNT)


@pytest.mark.parametrize("fit", [*FITS.values(), fit_ensemble])
def test_a_row_is_answered_alike_alone_and_among_others_to_the_last_bit(fit) -> None:
    features, _ = rows(5_000, seed=7)
    model = fit()
    together = model.predict_probability(features)
    alone = [model.predict_probability(features[[row]])[0] for row in range(0, 5_000, 37)]
    np.testing.assert_array_equal(together[::37], alone)


def test_probability_is_that_of_the_library(estimator: Estimator) -> None:
    features, _ = rows(200, seed=3)
    probability = estimator.predict_probability(features)
    assert probability.dtype == np.float64
    if isinstance(estimator, XGBoostEstimator):
        expected = estimator.booster.inplace_predict(features)
    elif isinstance(estimator, LightGBMEstimator):
        expected = estimator.booster.predict(features)
    elif isinstance(estimator, LogisticRegressionEstimator):
        expected = estimator.pipeline.predict_proba(features)[:, 1]
    else:
        expected = estimator.forest.predict_proba(features)[:, 1]  # type: ignore[attr-defined]
    # A vote of exactly zero is lifted to one in a million.
    np.testing.assert_allclose(probability, expected, atol=1.1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_the_answer(estimator: Estimator, threads: int) -> None:
    features, _ = rows(101, seed=4)
    answers = []
    for count in (1, threads):
        estimator.threads = count
        answers.append(estimator.predict_probability(features))
    estimator.threads = 0
    np.testing.assert_array_equal(answers[0], answers[1])


def test_no_rows_get_no_answers_and_a_base(estimator: Estimator) -> None:
    nothing = np.empty((0, FEATURE_COUNT), np.float32)
    assert estimator.predict_probability(nothing).shape == (0,)
    contributions, base = estimator.contributions(nothing)
    assert contributions.shape == (0, FEATURE_COUNT)
    assert base == pytest.approx(estimator.contributions(rows(5)[0])[1])


def test_files_carry_the_same_model(estimator: Estimator) -> None:
    features, _ = rows(200, seed=5)
    files = estimator.to_files()
    loaded = load_estimator(estimator.algorithm, files)
    assert type(loaded) is type(estimator)
    np.testing.assert_array_equal(loaded.predict_probability(features), estimator.predict_probability(features))
    np.testing.assert_array_equal(loaded.contributions(features)[0], estimator.contributions(features)[0])
    assert loaded.to_files() == files


@pytest.mark.parametrize("algorithm", FITS)
def test_the_same_fit_gives_the_same_files(algorithm: str) -> None:
    # The blocks keep the allocator from handing out the same addresses again.
    first = FITS[algorithm]().to_files()
    blocks = [np.full(1000, number) for number in range(100)]
    assert FITS[algorithm]().to_files() == first
    assert blocks


@pytest.mark.parametrize("algorithm", FITS)
def test_a_damaged_file_is_refused(algorithm: str) -> None:
    estimator = FITS[algorithm]()
    (name, data), *_ = estimator.to_files().items()
    with pytest.raises(ModelError, match=r"cannot be read"):
        load_estimator(algorithm, {name: data[: len(data) // 3]})


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ModelError, match="unknown algorithm 'prophet'"):
        load_estimator("prophet", {})


@pytest.mark.parametrize(
    "files",
    [
        # Nothing to load.
        {},
        # A pickle in place of the model, and beside it.
        {"model.pkl": b"\x80\x04."},
        {"xgboost.ubj": b"", "model.pkl": b"\x80\x04."},
    ],
)
def test_files_other_than_the_models_own_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(ModelError, match=r"where xgboost\.ubj belongs"):
        load_estimator("xgboost", files)


def forge(change: dict[str, str]) -> bytes:
    """A logistic regression's file whose scaler claims to be something else."""
    data = dump_estimator(fit_logistic_regression().pipeline)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    scaler = schema["content"]["content"]["steps"]["content"][0]["content"][1]
    assert scaler["__class__"] == "StandardScaler"
    scaler.update(change)
    return write_archive({**members, "schema.json": json.dumps(schema).encode()})


@pytest.mark.parametrize(
    "change",
    [
        # A class that runs commands.
        {"__module__": "os", "__class__": "system"},
        {"__module__": "subprocess", "__class__": "Popen"},
        # Classes skops trusts by itself, yet no model of ours holds.
        {"__module__": "sklearn.svm._classes", "__class__": "SVC"},
        # A trusted class built by another node than its own.
        {"__loader__": "FunctionNode"},
        {"__module__": "builtins", "__class__": "eval", "__loader__": "TypeNode"},
        {"__module__": "builtins", "__class__": "str", "__loader__": "OperatorFuncNode"},
    ],
)
def test_a_skops_file_with_a_class_off_the_list_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="no fraud model needs"):
        load_scikit_estimator(forge(change))


def test_an_unharmed_forgery_of_nothing_loads() -> None:
    assert type(load_scikit_estimator(forge({}))).__name__ == "Pipeline"


def test_a_skops_file_of_another_kind_of_estimator_is_refused() -> None:
    data = dump_estimator(fit_logistic_regression().pipeline)
    with pytest.raises(ModelError, match="holds a Pipeline, not a RandomForestClassifier"):
        load_estimator("random_forest", {"random_forest.skops": data})
