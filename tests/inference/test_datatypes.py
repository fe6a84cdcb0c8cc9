"""What is kept of a track survives storage, and stays small."""

import json

import numpy as np
import pytest

from inference.datatypes import InterestCurve, Key, Rhythm, TrackAnalysis, Waveform, Window


def analysis_of(duration_s: float, tempo_bpm: float = 120.0) -> TrackAnalysis:
    rng = np.random.default_rng(0)
    beats = np.cumsum(60 / tempo_bpm + 0.005 * rng.standard_normal(int(duration_s * tempo_bpm / 60)))
    hop_s = 0.743
    values = np.clip(np.cumsum(rng.standard_normal(int(duration_s / hop_s))) * 0.02 + 0.5, 0, 1)
    return TrackAnalysis(
        duration_s=duration_s,
        curve=InterestCurve(values.astype(np.float32), hop_s, 0.7),
        rhythm=Rhythm(tempo_bpm, tuple(beats.tolist()), tuple(beats[::4].tolist()), 4),
        key=Key(9, True, 0.8),
        loudness_lufs=-9.5,
        confidence=0.61,
        model_version="v1",
        title="Чайка",
        performer=None,
        loudness_profile=np.linspace(0, 1, 600).astype(np.float32),
    )


def test_analysis_survives_json() -> None:
    before = analysis_of(240.0)
    after = TrackAnalysis.from_dict(json.loads(json.dumps(before.to_dict())))
    np.testing.assert_allclose(after.curve.values, before.curve.values, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(after.rhythm.beats_s, before.rhythm.beats_s, atol=0.0006)
    np.testing.assert_allclose(after.rhythm.downbeats_s, before.rhythm.downbeats_s, atol=0.0006)
    assert after.loudness_profile is not None
    assert (after.duration_s, after.key, after.title, after.performer, after.confidence) == (
        before.duration_s,
        before.key,
        before.title,
        before.performer,
        before.confidence,
    )
    assert (after.curve.hop_s, after.curve.clarity) == (0.743, 0.7)
    assert after.rhythm.tempo_bpm == 120.0


def test_analysis_without_pulse_or_key_survives() -> None:
    silent = TrackAnalysis(
        3.0, InterestCurve(np.zeros(1, np.float32), 1.0), Rhythm(None), None, None, 0.0, "v"
    )
    after = TrackAnalysis.from_dict(json.loads(json.dumps(silent.to_dict())))
    assert (after.rhythm, after.key, after.loudness_lufs) == (Rhythm(None), None, None)


def test_three_hours_stay_small() -> None:
    assert len(json.dumps(analysis_of(3 * 3600.0).to_dict())) < 100_000


@pytest.mark.parametrize("broken", [{}, {"curve": {}}, {"duration_s": 1.0, "curve": None}])
def test_what_was_not_written_here_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        TrackAnalysis.from_dict(broken)


def test_camelot_of_the_circle() -> None:
    assert [Key(t, False, 1.0).camelot for t in (0, 7, 5)] == ["8B", "9B", "7B"]
    assert [Key(t, True, 1.0).camelot for t in (9, 4, 8)] == ["8A", "9A", "1A"]


def test_span_runs_forward() -> None:
    for start_s, end_s in ((5.0, 4.0), (-1.0, 4.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="not a span"):
            Window(start_s, end_s)


def test_waveform_knows_its_shape() -> None:
    with pytest.raises(ValueError, match="n_channels"):
        Waveform(np.zeros(5, np.float32), 44_100)
    with pytest.raises(ValueError, match="sr"):
        Waveform(np.zeros((1, 5), np.float32), 0)
