"""The shipped model on a synthesised song: the curve of the day the weights were made, and a sensible one."""

import json
from pathlib import Path

import numpy as np
import pytest
import soxr

from inference.config import CLEAR_CONFIDENCE
from inference.datatypes import InterestCurve
from inference.features import extract_features
from inference.model import InterestModel
from sandbox.song import synthesise_song
from training.unclear import MAKERS, SR

GOLDEN = Path(__file__).parents[1] / "golden" / "interest_curve.json"
TOLERANCE = 0.03  # other processors round other spectra; a wrong feature moves the curve by tenths

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> InterestModel:
    return InterestModel.load()


@pytest.fixture(scope="module")
def curve(model: InterestModel) -> InterestCurve:
    samples, sr, _ = synthesise_song()
    y = soxr.resample(samples.mean(axis=0), sr, model.config.sr).astype(np.float32)
    return model.predict(extract_features(y))


def test_curve_is_the_golden_one(model: InterestModel, curve: InterestCurve) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden["version"] == model.version, "run tests/golden/interest_curve.py and read the diff"
    assert golden["hop_s"] == pytest.approx(curve.hop_s)
    np.testing.assert_allclose(curve.values, golden["values"], atol=TOLERANCE)
    assert curve.clarity == pytest.approx(golden["clarity"], abs=TOLERANCE)


def test_choruses_draw_more_interest_than_the_rest(curve: InterestCurve) -> None:
    spans = json.loads(GOLDEN.read_text(encoding="utf-8"))["choruses"]
    centre_s = (np.arange(len(curve.values)) + 0.5) * curve.hop_s
    inside = np.any([(a <= centre_s) & (centre_s < b) for a, b in spans], axis=0)
    assert curve.values[inside].mean() > 1.5 * curve.values[~inside].mean()


def test_a_song_has_a_clear_highlight(curve: InterestCurve) -> None:
    assert curve.clarity > 2 * CLEAR_CONFIDENCE


@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize("seconds", [40, 150])
def test_sound_without_a_highlight_is_not_clear(model: InterestModel, kind: str, seconds: int) -> None:
    # Other seeds than those that the confidence was fitted to.
    y = MAKERS[kind](seconds * SR, np.random.default_rng(10_000 + seconds))
    assert model.predict(extract_features(y)).clarity < CLEAR_CONFIDENCE
