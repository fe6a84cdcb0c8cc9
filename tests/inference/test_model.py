"""The shipped model: its contract, its shape, and what its curve may not depend on."""

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from inference.config import FeatureConfig
from inference.datatypes import FloatArray, TrackFeatures
from inference.errors import ModelContractError
from inference.features import extract_features
from inference.model import MAX_POINTS, SHIPPED, InterestModel

WEIGHTS = Path(__file__).parents[2] / "inference" / "weights" / SHIPPED
CONFIG = FeatureConfig()


@pytest.fixture(scope="module")
def model() -> InterestModel:
    return InterestModel.load()


def features_of(n_frames: int, seed: int = 0) -> TrackFeatures:
    """Random features of a track that sounds all the way."""
    rng = np.random.default_rng(seed)
    return TrackFeatures(
        mel=rng.normal(-50, 10, (n_frames, CONFIG.n_mels)).astype(np.float32),
        chroma=rng.gamma(0.5, 1.0, (n_frames, 24)).astype(np.float32),
        loudness_db=rng.normal(-20, 3, n_frames).astype(np.float32),
        hop_s=CONFIG.hop_s,
        onset_envelope=np.zeros(n_frames * CONFIG.pool, np.float32),
        onset_bass=np.zeros(n_frames * CONFIG.pool, np.float32),
        onset_hop_s=CONFIG.hop_length / CONFIG.sr,
        duration_s=n_frames * CONFIG.hop_s,
    )


class Relabelled:
    """The shipped session under other metadata; None leaves an entry out."""

    def __init__(self, session: ort.InferenceSession, changes: dict[str, str | None]) -> None:
        self._session = session
        meta = session.get_modelmeta().custom_metadata_map | changes
        self.custom_metadata_map = {k: v for k, v in meta.items() if v is not None}

    def get_modelmeta(self) -> "Relabelled":
        return self

    def get_inputs(self) -> list[ort.NodeArg]:
        return self._session.get_inputs()


def test_shipped_weights_are_small_and_say_where_they_come_from(model: InterestModel) -> None:
    assert WEIGHTS.stat().st_size <= 4_000_000
    assert model.config == CONFIG
    assert model.version
    assert len(model.metadata["data_sha256"]) == 64
    assert model.metadata["revision"]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5, 31, 32, 33, 400, 1293])
def test_curve_has_a_point_for_each_four_frames(model: InterestModel, n_frames: int) -> None:
    curve = model.predict(features_of(n_frames))
    assert curve.values.shape == (-(-n_frames // 4),)
    assert curve.values.dtype == np.float32
    assert curve.hop_s == pytest.approx(4 * CONFIG.hop_s)
    assert np.isfinite(curve.values).all()
    assert 0 <= curve.values.min() <= curve.values.max() <= 1
    assert 0 <= curve.clarity <= 1


def test_same_features_give_the_same_curve(model: InterestModel) -> None:
    first, second = (model.predict(features_of(500)).values for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_silence_has_no_interest_and_no_clarity(model: InterestModel) -> None:
    curve = model.predict(extract_features(np.zeros(20 * CONFIG.sr)))
    assert not curve.values.any()
    assert curve.clarity == 0


def test_silent_ends_change_nothing_of_the_curve_between(model: InterestModel) -> None:
    music = features_of(600)

    def padded(x: FloatArray, level: float) -> FloatArray:
        return np.pad(x, ((80, 40),) + ((0, 0),) * (x.ndim - 1), constant_values=level)

    longer = dataclasses.replace(
        music,
        mel=padded(music.mel, -100),
        chroma=padded(music.chroma, 0),
        loudness_db=padded(music.loudness_db, -100),
        duration_s=720 * CONFIG.hop_s,
    )
    values = model.predict(longer).values
    np.testing.assert_allclose(values[20:170], model.predict(music).values, atol=1e-5)
    assert not values[:20].any()
    assert not values[170:].any()


def test_a_long_track_is_seamless_and_as_long_as_the_track(model: InterestModel) -> None:
    n_points = 3 * MAX_POINTS + 77
    values = model.predict(features_of(4 * n_points)).values
    assert values.shape == (n_points,)
    steps = np.abs(np.diff(values))
    # Random features have no sections: nothing may jump more at a seam than elsewhere.
    assert steps.max() < 10 * np.quantile(steps, 0.99) + 0.05


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"contract": "0"}, "contract"),
        ({"contract": None}, "contract"),
        ({"features": None}, "metadata"),
        ({"features": "{}x"}, "metadata"),
        ({"features": '{"sr": 22050, "colour": 3}'}, "metadata"),
        ({"features": '{"n_mels": 80}'}, "inputs"),
        ({"point_frames": "four"}, "metadata"),
        ({"version": None}, "metadata"),
    ],
)
def test_weights_that_do_not_fit_are_refused(changes: dict[str, str | None], reason: str) -> None:
    session = ort.InferenceSession(WEIGHTS, providers=["CPUExecutionProvider"])
    with pytest.raises(ModelContractError, match=reason):
        InterestModel(Relabelled(session, changes))  # type: ignore[arg-type]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(ModelContractError, match="cannot be opened"):
        InterestModel.load(path)
    with pytest.raises(ModelContractError, match="cannot be opened"):
        InterestModel.load(tmp_path / "missing.onnx")


def test_features_of_another_shape_are_refused(model: InterestModel) -> None:
    good = features_of(100)
    for bad in (
        dataclasses.replace(good, mel=good.mel[:, :80]),
        dataclasses.replace(good, chroma=good.chroma[:-1]),
        dataclasses.replace(good, mel=good.mel[:0], chroma=good.chroma[:0], loudness_db=good.loudness_db[:0]),
    ):
        with pytest.raises(ModelContractError, match="shapes"):
            model.predict(bad)
    with pytest.raises(ModelContractError, match="hop"):
        model.predict(dataclasses.replace(good, hop_s=0.2))
