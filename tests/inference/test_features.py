"""Features: librosa's definitions, streaming that does not depend on block sizes, chroma of known tones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.config import FeatureConfig
from inference.datatypes import FloatArray, TrackFeatures
from inference.features import FeatureExtractor, extract_features

CONFIG = FeatureConfig()


def noise(seconds: float, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * CONFIG.sr))).astype(np.float32)


def tone(midi: float, seconds: float = 4.0) -> FloatArray:
    """A harmonic tone with eight partials."""
    t = np.arange(round(seconds * CONFIG.sr)) / CONFIG.sr
    f0 = 440.0 * 2 ** ((midi - 69) / 12)
    partials = [0.3 * 0.6**h * np.sin(2 * np.pi * f0 * (h + 1) * t) for h in range(8)]
    return np.sum(partials, axis=0).astype(np.float32)


def arrays(features: TrackFeatures) -> dict[str, FloatArray]:
    names = ("mel", "chroma", "loudness_db", "onset_envelope", "onset_bass")
    return {name: getattr(features, name) for name in names}


def librosa_mel(y: FloatArray) -> FloatArray:
    """Power mel by librosa (n_mels, n_frames), full-scale sine = 1; frames whose centre is in the track."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=y,
        sr=CONFIG.sr,
        n_fft=CONFIG.n_fft,
        hop_length=CONFIG.hop_length,
        n_mels=CONFIG.n_mels,
        fmin=CONFIG.fmin,
        fmax=CONFIG.fmax,
    )
    return power[:, : -(-len(y) // CONFIG.hop_length)] / (CONFIG.n_fft / 4) ** 2


@pytest.mark.slow
def test_mel_equals_librosas_pooled_in_power() -> None:
    y = noise(7.3) * np.linspace(0, 1, round(7.3 * CONFIG.sr), dtype=np.float32)
    power = librosa_mel(y)
    edges = np.arange(0, power.shape[1], CONFIG.pool)
    counts = np.diff(np.append(edges, power.shape[1]))
    expected = 10 * np.log10(np.maximum(1e-14, np.add.reduceat(power, edges, axis=1) / counts))
    np.testing.assert_allclose(extract_features(y).mel, expected.T, atol=0.01)


@pytest.mark.slow
def test_onset_envelope_equals_librosas_onset_strength() -> None:
    import librosa

    y = noise(6) * (np.arange(6 * CONFIG.sr) % (CONFIG.sr // 2) < 3000)
    level = librosa.power_to_db(librosa_mel(y.astype(np.float32)), amin=1e-14, top_db=None)
    level = np.maximum(level, level.max() - 80)
    expected = librosa.onset.onset_strength(S=level, sr=CONFIG.sr, hop_length=CONFIG.hop_length)
    got = extract_features(y).onset_envelope
    # The floor follows the loudest band so far: a rise from silence may be up to a decibel or two higher.
    np.testing.assert_allclose(got[40:], expected[40:], rtol=0.08, atol=0.05)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 90_000), min_size=1, max_size=12), st.integers(0, 3))
def test_streaming_equals_batch_for_any_blocks(sizes: list[int], seed: int) -> None:
    y = noise(sum(sizes) / CONFIG.sr, seed)[: sum(sizes)]
    extractor = FeatureExtractor()
    for block in np.split(y, np.cumsum(sizes)[:-1]):
        extractor.push(block)
    streamed, batch = extractor.finish(), extract_features(y)
    assert streamed.duration_s == batch.duration_s
    for name, array in arrays(batch).items():
        np.testing.assert_allclose(arrays(streamed)[name], array, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513, 4095, 4096, 4097, 100_000])
def test_every_length_gives_finite_frames_of_one_count(n: int) -> None:
    features = extract_features(noise(5)[:n])
    n_frames = max(1, -(-n // 4096))
    assert features.mel.shape == (n_frames, CONFIG.n_mels)
    assert features.chroma.shape == (n_frames, 24)
    assert features.loudness_db.shape == (n_frames,)
    assert features.onset_envelope.shape == features.onset_bass.shape == (max(1, -(-n // 512)),)
    assert all(np.isfinite(a).all() and a.dtype == np.float32 for a in arrays(features).values())
    assert features.hop_s == pytest.approx(0.185759637)


def test_bad_samples_are_read_as_silence() -> None:
    y = noise(3)
    y[1000:3000] = np.nan
    y[40_000] = np.inf
    clean = np.where(np.isfinite(y), y, 0)
    for name, array in arrays(extract_features(y)).items():
        np.testing.assert_array_equal(array, arrays(extract_features(clean))[name])


def test_silence_is_at_the_floor_without_chroma_or_onsets() -> None:
    features = extract_features(np.zeros(10 * CONFIG.sr))
    assert (features.mel == -140).all()
    assert (features.loudness_db == -140).all()
    assert not features.chroma.any()
    assert not features.onset_envelope.any()


def test_loudness_is_mean_power_in_decibels_re_full_scale() -> None:
    t = np.arange(4 * CONFIG.sr) / CONFIG.sr
    y = 0.1 * np.sin(2 * np.pi * 440 * t)  # -20 dBFS peak, -23 dB mean power
    assert extract_features(y).loudness_db[3:10] == pytest.approx(-23.0, abs=0.05)


def test_onset_bass_hears_the_kick_and_not_the_hat() -> None:
    n = 8 * CONFIG.sr
    t = np.arange(n) / CONFIG.sr
    kick = 0.5 * np.sin(2 * np.pi * 60 * t) * np.exp(-15 * (t % 0.5))
    hat = 0.1 * noise(8, seed=1) * np.exp(-60 * ((t + 0.25) % 0.5))
    features = extract_features((kick + hat).astype(np.float32))
    times = np.arange(len(features.onset_bass)) * features.onset_hop_s
    phase = (times + 0.1) % 0.5 < 0.25
    bass = features.onset_bass
    assert bass[phase].sum() > 3 * bass[~phase].sum()


@pytest.mark.parametrize("midi", [40, 45, 52, 57, 64, 71])
@pytest.mark.parametrize("cents", [-40, 0, 30])
def test_chroma_names_the_pitch_class_at_any_tuning(midi: int, cents: int) -> None:
    chroma = extract_features(tone(midi + cents / 100)).chroma[5:-5].mean(axis=0)
    expected = (midi - 21) % 12  # A first
    assert chroma[12:].argmax() == expected
    if midi < 55:
        assert chroma[:12].argmax() == expected


def test_chroma_of_a_chord_has_its_notes_on_top() -> None:
    y = tone(57) + tone(60) + tone(64)  # A minor: A C E
    treble = extract_features(y).chroma[5:-5, 12:].mean(axis=0)
    assert set(np.argsort(treble)[-3:]) == {0, 3, 7}


def test_chroma_does_not_depend_on_gain() -> None:
    y = tone(57) + tone(64) + 0.1 * noise(4)
    loud, quiet = extract_features(y), extract_features(0.05 * y)
    np.testing.assert_allclose(loud.chroma, quiet.chroma, atol=1e-2)


def test_chroma_follows_transposition() -> None:
    parts = (57, 60, 64), (53, 57, 60), (55, 59, 62)
    song, higher = (
        np.concatenate([np.sum([tone(m + k, 2) for m in chord], axis=0) for chord in parts]) for k in (0, 3)
    )
    a, b = extract_features(song).chroma[:, 12:], extract_features(higher).chroma[:, 12:]
    similarity = (np.roll(a, 3, axis=1) * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert np.median(similarity) > 0.9
