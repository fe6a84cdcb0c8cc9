"""What may happen to a recording on its way to us without the pick moving by more than a second.

On the synthesised song, whose last, double chorus is the best half minute, and on a real one if it is there.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr

from inference.datatypes import FloatArray, InterestCurve
from inference.decode import decode_mono
from inference.features import extract_features
from inference.model import InterestModel
from inference.window import pick_windows
from sandbox.song import Span, synthesise_song, write_audio

pytestmark = pytest.mark.slow

SR = 22_050
LENGTH_S = 30.0
GOLD = Path(__file__).parents[3] / "shared" / "gold" / "audio"
Hear = Callable[[FloatArray], InterestCurve]


@pytest.fixture(scope="module")
def hear() -> Hear:
    model = InterestModel.load()
    return lambda y: model.predict(extract_features(y))


def song_of(key_note: int = 60, tempo_bpm: float = 120.0) -> tuple[FloatArray, tuple[Span, ...]]:
    samples, sr, choruses = synthesise_song(key_note=key_note, tempo_bpm=tempo_bpm, sr=SR)
    assert sr == SR
    return samples.mean(axis=0), choruses


@pytest.fixture(scope="module")
def song() -> FloatArray:
    return song_of()[0]


def pick_s(curve: InterestCurve) -> float:
    """Start of the picked half minute, before it is moved to a bar."""
    return pick_windows(curve, len(curve.values) * curve.hop_s, LENGTH_S).window.start_s


def test_the_pick_is_the_double_chorus(hear: Hear, song: FloatArray) -> None:
    last = song_of()[1][-1]
    start_s = pick_s(hear(song))
    assert start_s == pytest.approx(last.start_s, abs=3)


@pytest.mark.parametrize("gain_db", [-20, -12, -6, 6])
def test_gain(hear: Hear, song: FloatArray, gain_db: float) -> None:
    # +6 dB clips, as a too hot recording does.
    changed = np.clip(song * 10 ** (gain_db / 20), -1, 1)
    assert pick_s(hear(changed)) == pytest.approx(pick_s(hear(song)), abs=1)


@pytest.mark.parametrize("silence_s", [0.3, 5.0, 20.0])
def test_leading_silence_moves_the_pick_with_the_music(
    hear: Hear, song: FloatArray, silence_s: float
) -> None:
    later = np.concatenate([np.zeros(round(silence_s * SR), np.float32), song])
    assert pick_s(hear(later)) - silence_s == pytest.approx(pick_s(hear(song)), abs=1)


@pytest.mark.parametrize("sr", [16_000, 32_000, 44_100, 96_000])
def test_sampling_rate(hear: Hear, song: FloatArray, sr: int) -> None:
    there_and_back = soxr.resample(soxr.resample(song, SR, sr), sr, SR)
    assert pick_s(hear(there_and_back)) == pytest.approx(pick_s(hear(song)), abs=1)


@pytest.mark.parametrize(
    ("suffix", "bit_rate", "n_channels"),
    [(".mp3", 64_000, 1), (".mp3", 64_000, 2), (".ogg", 32_000, 2), (".m4a", 64_000, 2)],
)
def test_small_files(
    hear: Hear, song: FloatArray, tmp_path: Path, suffix: str, bit_rate: int, n_channels: int
) -> None:
    sr = 48_000 if suffix == ".ogg" else 44_100
    path = tmp_path / f"song{suffix}"
    samples = np.tile(soxr.resample(song, SR, sr), (n_channels, 1))
    write_audio(path, samples, sr, bit_rate=bit_rate)
    assert pick_s(hear(decode_mono(path, SR))) == pytest.approx(pick_s(hear(song)), abs=1)


@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
def test_transposition(hear: Hear, song: FloatArray, semitones: int) -> None:
    moved, _ = song_of(key_note=60 + semitones)
    assert pick_s(hear(moved)) == pytest.approx(pick_s(hear(song)), abs=1)


def test_noise_and_a_telephone_band(hear: Hear, song: FloatArray) -> None:
    noisy = song + 0.01 * np.random.default_rng(0).standard_normal(len(song)).astype(np.float32)
    narrow = soxr.resample(soxr.resample(noisy, SR, 8000), 8000, SR)
    assert pick_s(hear(narrow)) == pytest.approx(pick_s(hear(song)), abs=1)


def test_without_its_last_chorus_another_chorus_is_picked(hear: Hear, song: FloatArray) -> None:
    choruses = song_of()[1]
    shorter = song[: round(choruses[-1].start_s * SR)]
    start_s = pick_s(hear(shorter))
    overlap = [max(0.0, min(start_s + LENGTH_S, c.end_s) - max(start_s, c.start_s)) for c in choruses[:-1]]
    assert max(overlap) >= 0.9 * (choruses[0].end_s - choruses[0].start_s)


def test_two_songs_in_one_file_still_give_a_chorus(hear: Hear, song: FloatArray) -> None:
    other, more = song_of(key_note=65, tempo_bpm=96.0)
    offset_s = len(song) / SR
    spans = [*song_of()[1], *(Span(c.start_s + offset_s, c.end_s + offset_s) for c in more)]
    start_s = pick_s(hear(np.concatenate([song, other])))
    inside = sum(max(0.0, min(start_s + LENGTH_S, c.end_s) - max(start_s, c.start_s)) for c in spans)
    assert inside >= 0.75 * LENGTH_S


@pytest.mark.parametrize("change", ["gain", "silence", "rate", "mp3"])
def test_a_real_song_keeps_its_pick(hear: Hear, tmp_path: Path, change: str) -> None:
    found = sorted(GOLD.glob("*.ogg")) if GOLD.is_dir() else []
    if not found:
        pytest.skip("no real songs beside the checkout")
    y = decode_mono(found[0], SR)
    shift_s = 0.0
    if change == "gain":
        changed = 0.1 * y
    elif change == "silence":
        shift_s = 7.3
        changed = np.concatenate([np.zeros(round(shift_s * SR), np.float32), y])
    elif change == "rate":
        changed = soxr.resample(soxr.resample(y, SR, 16_000), 16_000, SR)
    else:
        write_audio(tmp_path / "song.mp3", soxr.resample(y, SR, 44_100)[None], 44_100, bit_rate=64_000)
        changed = decode_mono(tmp_path / "song.mp3", SR)
    assert pick_s(hear(changed)) - shift_s == pytest.approx(pick_s(hear(y)), abs=1)
