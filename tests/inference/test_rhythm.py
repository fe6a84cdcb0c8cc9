"""Tempo, beats and bars of signals whose answer is known."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from inference.beats import track_beats
from inference.datatypes import Rhythm
from inference.features import extract_features
from inference.rhythm import track_rhythm

SR = 22_050
FIRST_BEAT_S = 0.3


def clicks(
    beat_times_s: npt.ArrayLike, duration_s: float, *, beats_per_bar: int | None = None
) -> npt.NDArray:
    """Short clicks over a faint noise floor; with `beats_per_bar`, a bass thump marks the first of each
    bar.
    """
    rng = np.random.default_rng(0)
    y = 1e-4 * rng.standard_normal(round(duration_s * SR))
    t = np.arange(round(0.05 * SR)) / SR
    click = 0.5 * np.sin(2 * np.pi * 1000 * t) * np.exp(-t * 80)
    thump = click + 0.8 * np.sin(2 * np.pi * 80 * t) * np.exp(-t * 30)
    for i, at_s in enumerate(np.asarray(beat_times_s)):
        start = round(float(at_s) * SR)
        if start + len(click) < len(y):
            y[start : start + len(click)] += thump if beats_per_bar and i % beats_per_bar == 0 else click
    return y


def steady(bpm: float, duration_s: float = 30.0, **kwargs) -> npt.NDArray:
    return clicks(np.arange(FIRST_BEAT_S, duration_s, 60.0 / bpm), duration_s, **kwargs)


def rhythm_of(y: npt.NDArray) -> Rhythm:
    f = extract_features(y)
    return track_rhythm(f.onset_envelope, f.onset_bass, f.onset_hop_s, f.chroma, f.hop_s)


@pytest.mark.parametrize("bpm", [60, 72.5, 90, 105, 120, 128, 140, 155, 174, 187, 200])
@pytest.mark.parametrize("beats_per_bar", [None, 3, 4])
def test_clicks_give_their_tempo_and_beats(bpm: float, beats_per_bar: int | None):
    rhythm = rhythm_of(steady(bpm, beats_per_bar=beats_per_bar))

    assert rhythm.tempo_bpm == pytest.approx(bpm, rel=0.005)
    positions = (np.array(rhythm.beats_s) - FIRST_BEAT_S) * bpm / 60.0
    offsets_s = (positions - np.round(positions)) * 60.0 / bpm
    assert np.abs(offsets_s).max() < 0.015
    assert len(rhythm.beats_s) >= (30.0 - FIRST_BEAT_S) * bpm / 60.0 - 3


@pytest.mark.parametrize("bpm", [75, 96, 120, 150, 180])
@pytest.mark.parametrize("beats_per_bar", [3, 4])
def test_bars_begin_on_the_marked_beat(bpm: float, beats_per_bar: int):
    rhythm = rhythm_of(steady(bpm, beats_per_bar=beats_per_bar))

    assert rhythm.beats_per_bar == beats_per_bar
    positions = (np.array(rhythm.downbeats_s) - FIRST_BEAT_S) * bpm / 60.0
    assert len(positions) > 30.0 * bpm / 60.0 / beats_per_bar - 3
    assert np.all(np.round(positions) % beats_per_bar == 0)


def test_tempo_is_a_plain_number():
    # librosa returns an array since 0.10.2, which breaks JSON and formatting.
    rhythm = rhythm_of(steady(120))

    assert type(rhythm.tempo_bpm) is float
    assert all(type(at_s) is float for at_s in rhythm.beats_s)


def test_beats_follow_a_tempo_that_drifts():
    times = FIRST_BEAT_S + np.cumsum(60.0 / np.linspace(100, 125, 90))

    rhythm = rhythm_of(clicks(times, 50.0))

    nearest = np.abs(np.array(rhythm.beats_s)[:, None] - times[None, :]).min(axis=1)
    assert np.quantile(nearest, 0.9) < 0.03
    assert len(rhythm.beats_s) == pytest.approx(len(times), abs=4)


def test_a_quiet_recording_limited_to_1_khz_still_has_its_tempo():
    y = steady(112, 40.0, beats_per_bar=4)
    spectrum = np.fft.rfft(y)
    spectrum[np.fft.rfftfreq(len(y), 1 / SR) > 1000] = 0

    rhythm = rhythm_of(0.03 * np.fft.irfft(spectrum, len(y)))

    assert rhythm.tempo_bpm == pytest.approx(112, rel=0.01)


def unsteady_signals() -> dict[str, npt.NDArray]:
    rng = np.random.default_rng(5)
    n = 30 * SR
    t = np.arange(n) / SR
    phrasing = 0.5 * np.exp(0.4 * np.sin(np.arange(70) * 2 * np.pi / 13))
    broken = steady(120)
    broken[::7] = np.nan
    return {
        "silence": np.zeros(n),
        "one sample": np.zeros(1),
        "nothing": np.zeros(0),
        "white noise": 0.1 * rng.standard_normal(n),
        "brown noise": 1e-3 * np.cumsum(rng.standard_normal(n)),
        "a drone": 0.3 * np.sin(2 * np.pi * 110 * t) + 0.2 * np.sin(2 * np.pi * 220.5 * t),
        "a -80 dB tone": 1e-4 * np.sin(2 * np.pi * 440 * t),
        "one click": clicks([10.0], 30.0),
        "rain": clicks(np.cumsum(rng.exponential(0.3, 90)), 30.0),
        "rubato phrases": clicks(np.cumsum(phrasing), 34.0),
        "syllables": clicks(np.cumsum(rng.gamma(4.0, 0.05, 150)), 30.0),
        "three beats": clicks([0.5, 1.0, 1.5], 4.0),
        "constant offset": np.full(n, 0.5),
    }


@pytest.mark.parametrize("name", unsteady_signals())
def test_without_a_steady_pulse_the_tempo_is_unknown(name: str):
    rhythm = rhythm_of(unsteady_signals()[name])

    assert rhythm == Rhythm(tempo_bpm=None)


def test_arrays_of_any_kind_never_crash():
    rng = np.random.default_rng(1)
    lengths = (0, 1, 2, 5, 50, 214, 215, 216, 700)
    for n, n_chroma in itertools.product(lengths, (0, 1, 30)):
        for envelope in (np.zeros(n), np.full(n, np.nan), np.full(n, 1e30), rng.random(n)):
            rhythm = track_rhythm(envelope, envelope[: n // 2], 512 / SR, np.zeros((n_chroma, 24)), 0.186)
            assert rhythm.tempo_bpm is None or np.isfinite(rhythm.tempo_bpm)


def test_beats_agree_with_librosas_tracker():
    librosa_beat = pytest.importorskip("librosa.beat")
    envelope = extract_features(steady(112, 40.0, beats_per_bar=4)).onset_envelope.astype(np.float64)
    period = 23.0

    ours = track_beats(envelope, np.full(len(envelope), period))
    _, theirs = librosa_beat.beat_track(
        onset_envelope=envelope, sr=SR, hop_length=512, bpm=60.0 * SR / 512 / period, trim=False
    )

    matched = np.abs(ours[:, None] - theirs[None, :]).min(axis=1) <= 1
    assert matched.mean() > 0.97
    assert len(ours) == pytest.approx(len(theirs), abs=2)


def test_three_hours_keep_their_beats_and_bars():
    rng = np.random.default_rng(2)
    n_bars, frames_per_beat = 4400, 26
    bar = np.concatenate([[accent] + [0.1] * (frames_per_beat - 1) for accent in (9.0, 7.0, 7.0, 7.0)])
    bass_bar = np.concatenate([[accent] + [0.1] * (frames_per_beat - 1) for accent in (9.0, 0.0, 3.0, 0.0)])
    envelope = np.tile(bar, n_bars) + rng.random(n_bars * len(bar))
    bass = np.tile(bass_bar, n_bars) + rng.random(n_bars * len(bar))

    rhythm = track_rhythm(envelope, bass, 512 / SR, rng.random((len(envelope) // 8, 24)), 8 * 512 / SR)

    assert rhythm.beats_s[-1] > 3 * 3600 - 600
    assert len(rhythm.beats_s) == pytest.approx(4 * n_bars, abs=4)
    assert np.median(np.diff(rhythm.downbeats_s)) == pytest.approx(4 * frames_per_beat * 512 / SR, rel=0.01)
