"""How loud a piece sounds, and how loud it is sent.

Loudness after ITU-R BS.1770-4 (gated, LUFS) by pyloudnorm; true peak (dBTP) on four times the rate, as its
Annex 2 asks. Levels of nothing are `-inf`. Every function returns new arrays.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
import numpy.typing as npt
import soxr
from pyloudnorm.iirfilter import IIRfilter
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import sosfilt, sosfreqz

from inference.config import CEILING_DBTP, TARGET_LUFS
from inference.datatypes import FloatArray, Waveform

MAX_BOOST_DB = 12.0  # more would lift a room's noise, or a fade's end, to the level of music
MAX_LIMITING_DB = 9.0  # a limiter that works harder is heard; the piece stays quieter instead
CODEC_HEADROOM_DB = 1.2  # what Opus at 96 kbit/s added at most to the true peak of limited real songs
FADE_IN_S = 0.03
FADE_OUT_S = 0.3
_GATE_BLOCK_S = 0.4
_STEPS_IN_TENTH = 40
_STEP_S = 0.1 / _STEPS_IN_TENTH
_STEPS_AT_ONCE = 4 * _STEPS_IN_TENTH
_SAMPLES_AT_ONCE = 16_384
_OVERSAMPLING = 4
_ABSOLUTE_GATE_LUFS = -70.0
_WORTH_DB = 0.3  # a difference in level that nobody hears is not worth a second round
_LIMITER_STEP = 16
_LIMITER_ROUNDS = 3
_FRAMES_AT_ONCE = 1024
_LIMITER_REACH_S = 0.01  # how far ahead of and behind a peak the limiter moves


@dataclass(frozen=True, slots=True, eq=False)
class Levelled:
    """A piece at its final level. `lufs`, `dbtp`: measured on it; `gain_db`: what was applied."""

    waveform: Waveform
    gain_db: float
    lufs: float
    dbtp: float


def measure_lufs(waveform: Waveform) -> float:
    """Integrated loudness; `-inf` where everything lies under the absolute gate of -70 LUFS.

    pyloudnorm's filters in one pass, and its gating on sums of tenths of a second: the same figure as its
    `Meter` in a third of the time.
    """
    if waveform.samples.shape[1] == 0:
        return -math.inf
    return _lufs_of(_weighted_energy(_long_enough(waveform)), waveform.sr)


def measure_dbtp(waveform: Waveform) -> float:
    """True peak of the loudest channel."""
    if waveform.samples.shape[1] == 0:
        return -math.inf
    return _db(
        max(
            float(np.abs(fine).max(initial=0.0))
            for y in waveform.samples
            for fine in _oversampled(y, waveform.sr)
        )
    )


def normalise(
    waveform: Waveform,
    target_lufs: float = TARGET_LUFS,
    ceiling_dbtp: float = CEILING_DBTP,
    max_boost_db: float = MAX_BOOST_DB,
) -> Levelled:
    """Bring a piece to `target_lufs` with its true peak under `ceiling_dbtp`.

    A loud piece is turned down freely; a quiet one is turned up by at most `max_boost_db`, its peaks held by
    a limiter that takes at most `MAX_LIMITING_DB`. What cannot be brought to the target so stays quieter.
    """
    ceiling_dbtp -= CODEC_HEADROOM_DB
    sr = waveform.sr
    if waveform.samples.shape[1] == 0:
        return Levelled(waveform, 0.0, -math.inf, -math.inf)
    energy = _weighted_energy(_long_enough(waveform))
    lufs = _lufs_of(energy, sr)
    peaks = _true_peaks(waveform)
    dbtp = _db(float(peaks.max(initial=0.0)))
    if not math.isfinite(lufs):
        gain_db = min(0.0, ceiling_dbtp - dbtp)
        return Levelled(_amplified(waveform, gain_db), gain_db, lufs, dbtp + gain_db)
    loudest_db = min(max_boost_db, ceiling_dbtp + MAX_LIMITING_DB - dbtp)
    gain_db = min(target_lufs - lufs, loudest_db)
    if dbtp + gain_db <= ceiling_dbtp:
        return Levelled(_amplified(waveform, gain_db), gain_db, lufs + gain_db, dbtp + gain_db)
    for _ in range(_LIMITER_ROUNDS):
        curve = _limiter_gain(peaks, sr, gain_db, ceiling_dbtp)
        limited_lufs = _lufs_of(energy * _power_by_step(curve, len(energy), sr), sr)
        # What the limiter takes from the loudness is given back, as far as the bounds allow.
        again_db = min(gain_db + target_lufs - limited_lufs, loudest_db)
        if again_db < gain_db + _WORTH_DB:
            break
        gain_db = again_db
    return Levelled(Waveform(waveform.samples * curve, sr), gain_db, limited_lufs, ceiling_dbtp)


def fade_edges(waveform: Waveform, fade_in_s: float = FADE_IN_S, fade_out_s: float = FADE_OUT_S) -> Waveform:
    """Quarter-sine fades from and to exact zero; neither is longer than half the piece."""
    samples = waveform.samples.copy()
    half = samples.shape[1] // 2
    n_in = min(round(fade_in_s * waveform.sr), half)
    n_out = min(round(fade_out_s * waveform.sr), half)
    if n_in:
        samples[:, :n_in] *= _quarter_sine(n_in)
    if n_out:
        samples[:, -n_out:] *= _quarter_sine(n_out)[::-1]
    return Waveform(samples, waveform.sr)


def track_lufs(mel: FloatArray, loudness_db: FloatArray, centres_hz: FloatArray) -> float | None:
    """Integrated loudness of a whole track from its features, None for silence; within about 1 LU.

    `mel` (n_frames, n_mels) in dB, `loudness_db` (n_frames,), `centres_hz` (n_mels,). The gates are those of
    BS.1770 on frames instead of blocks; a stereo track counts as two equal channels.
    """
    # The filters' areas are equal (Slaney), so a band's power counts by its width.
    widths = np.gradient(centres_hz.astype(np.float64))
    weights = np.stack([widths * _k_weighting(centres_hz), widths], axis=1)
    frames = np.empty(len(mel))
    for first in range(0, len(mel), _FRAMES_AT_ONCE):
        part = slice(first, first + _FRAMES_AT_ONCE)
        weighted, total = (10 ** (mel[part].astype(np.float64) / 10) @ weights).T
        frames[part] = weighted / np.maximum(total, 1e-20)
    frames *= 2.0 * 10 ** (loudness_db.astype(np.float64) / 10)
    lufs = _gated_lufs(frames)
    return lufs if math.isfinite(lufs) else None


def loudness_profile(loudness_db: FloatArray, n_steps: int = 600) -> FloatArray:
    """Level over the track in at most `n_steps` steps: 1 is the loudest, 0 is 40 dB below it."""
    power = 10 ** (loudness_db.astype(np.float64) / 10)
    edges = np.linspace(0, len(power), min(n_steps, len(power)) + 1).astype(int)[:-1]
    steps_db = 10 * np.log10(np.maximum(np.maximum.reduceat(power, edges), 1e-12))
    profile: FloatArray = np.clip((steps_db - steps_db.max() + 40.0) / 40.0, 0.0, 1.0).astype(np.float32)
    return profile


def _k_weighting(frequencies_hz: FloatArray) -> npt.NDArray[np.float64]:
    """Power response of BS.1770's filters."""
    return np.asarray(np.abs(sosfreqz(_k_filters(48_000), frequencies_hz, fs=48_000)[1]) ** 2)


def _quarter_sine(n: int) -> FloatArray:
    return np.sin(np.linspace(0.0, np.pi / 2, n)).astype(np.float32)


def _true_peaks(waveform: Waveform) -> FloatArray:
    """Largest interpolated magnitude around each sample, over all channels: (n_samples,)."""
    # The interpolated peaks pass through the samples but for rounding.
    peaks: FloatArray = np.abs(waveform.samples).max(axis=0)
    for y in waveform.samples:
        at = 0
        for fine in _oversampled(y, waveform.sr):
            # Column by column: numpy's maximum over a short axis is ten times slower.
            part = reduce(np.maximum, np.abs(fine).T)
            here = peaks[at : at + len(part)]
            np.maximum(here, part[: len(here)], out=here)
            at += len(part)
    return peaks


def _oversampled(y: FloatArray, sr: int) -> Iterator[FloatArray]:
    """One channel at `_OVERSAMPLING` times its rate, part by part: (n, _OVERSAMPLING), a row for each sample.

    A channel at a time: soxr takes apart and puts together what is interleaved, half as long again.
    """
    resampler = soxr.ResampleStream(sr, sr * _OVERSAMPLING, 1, dtype="float32", quality="MQ")
    left = np.zeros(0, dtype=np.float32)
    for first in range(0, len(y), _SAMPLES_AT_ONCE):
        part = np.ascontiguousarray(y[first : first + _SAMPLES_AT_ONCE])
        fine = resampler.resample_chunk(part, last=first + _SAMPLES_AT_ONCE >= len(y))
        fine = np.concatenate([left, fine])
        n_whole = len(fine) - len(fine) % _OVERSAMPLING
        left = fine[n_whole:]
        yield fine[:n_whole].reshape(-1, _OVERSAMPLING)


def _long_enough(waveform: Waveform) -> Waveform:
    """A piece shorter than one gating block is as loud as its own repetition."""
    shortest = math.ceil(_GATE_BLOCK_S * waveform.sr) + 1
    n_channels, n_samples = waveform.samples.shape
    if n_samples >= shortest:
        return waveform
    return Waveform(np.resize(waveform.samples, (n_channels, shortest)), waveform.sr)


def _weighted_energy(waveform: Waveform) -> npt.NDArray[np.float64]:
    """K-weighted energy of each `_STEP_S`, summed over the channels, which count alike: (n_steps,).

    The steps are short against a limiter's gain, so that it can be applied to them.
    """
    samples, sr = waveform.samples, waveform.sr
    edges = _step_edges(samples.shape[1], sr)
    energy = np.zeros(len(edges) - 1)
    filters = _k_filters(sr)
    memory = np.zeros((len(filters), samples.shape[0], 2))
    # In pieces that stay in the processor's cache: half the time of a whole minute at once.
    for first in range(0, len(energy), _STEPS_AT_ONCE):
        around = edges[first : first + _STEPS_AT_ONCE + 1]
        piece = samples[:, around[0] : around[-1]].astype(np.float64)
        weighted, memory = sosfilt(filters, piece, axis=1, zi=memory)
        np.square(weighted, out=weighted)
        energy[first : first + _STEPS_AT_ONCE] = _sums(weighted.sum(axis=0), around - around[0])
    return energy


def _step_edges(n_samples: int, sr: int) -> npt.NDArray[np.int64]:
    n_steps = round(n_samples / (0.1 * sr)) * _STEPS_IN_TENTH
    return np.minimum((np.arange(n_steps + 1) * _STEP_S * sr).astype(np.int64), n_samples)


def _sums(y: npt.NDArray[np.floating], edges: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Sum of `y` between each two edges; the last ones may lie at its end and hold nothing."""
    if edges[-2] >= len(y):  # reduceat asks for one more element
        y = np.append(y, np.zeros(1, dtype=y.dtype))
    return np.asarray(np.add.reduceat(y, edges[:-1]), dtype=np.float64)


def _power_by_step(gain: FloatArray, n_steps: int, sr: int) -> npt.NDArray[np.float64]:
    """Mean square of a slow gain in each step: what it does to the energy there. (n_steps,)"""
    edges = _step_edges(len(gain), sr)
    if len(edges) - 1 != n_steps:  # a piece that was repeated to be measured
        return np.full(n_steps, float(np.mean(np.square(gain))))
    return _sums(np.square(gain), edges) / np.maximum(np.diff(edges), 1)


def _lufs_of(energy: npt.NDArray[np.float64], sr: int) -> float:
    """Gating blocks of four tenths of a second that move by one tenth."""
    n_tenths = len(energy) // _STEPS_IN_TENTH
    tenths = energy[: n_tenths * _STEPS_IN_TENTH].reshape(n_tenths, _STEPS_IN_TENTH).sum(axis=1)
    return _gated_lufs(np.convolve(tenths, np.ones(4), "valid") / (_GATE_BLOCK_S * sr))


@cache
def _k_filters(sr: int) -> npt.NDArray[np.float64]:
    """BS.1770's two filters for any rate, as pyloudnorm designs them: second-order sections."""
    stages = (
        IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, sr, "high_shelf"),
        IIRfilter(0.0, 0.5, 38.0, sr, "high_pass"),
    )
    return np.array([np.concatenate([stage.b, stage.a]) for stage in stages])


def _gated_lufs(power: npt.NDArray[np.float64]) -> float:
    """Both gates of BS.1770 on the weighted mean power of blocks, summed over channels."""
    with np.errstate(divide="ignore"):
        lufs = 10 * np.log10(power) - 0.691
    loud = lufs > _ABSOLUTE_GATE_LUFS
    if not loud.any():
        return -math.inf
    relative_gate = 10 * math.log10(power[loud].mean()) - 0.691 - 10.0
    return 10 * math.log10(power[loud & (lufs > relative_gate)].mean()) - 0.691


def _limiter_gain(peaks: FloatArray, sr: int, gain_db: float, ceiling_dbtp: float) -> FloatArray:
    """`gain_db`, lowered around every peak that would pass the ceiling: amplitudes, (n_samples,).

    Looks ahead: what a peak needs is held and smoothed on both sides of it. Worked out for steps of
    `_LIMITER_STEP` samples; between two steps the gain runs in a straight line whose ends are low enough for
    every peak near by.
    """
    gain = np.float32(10 ** (gain_db / 20))
    # A tenth of a decibel below: smoothing the gain moves the peaks between the samples a little.
    ceiling = np.float32(10 ** ((ceiling_dbtp - 0.1) / 20))
    steps = np.pad(peaks, (0, -len(peaks) % _LIMITER_STEP)).reshape(-1, _LIMITER_STEP).T.copy().max(axis=0)
    allowed = np.minimum(gain, ceiling / np.maximum(steps, np.float32(1e-9)))
    reach = max(1, round(_LIMITER_REACH_S * sr / _LIMITER_STEP))
    held = minimum_filter1d(allowed, 2 * reach + 3, mode="nearest")
    # Two running means make a triangle no wider than the hold: the gain is never above the allowed one.
    smooth = uniform_filter1d(uniform_filter1d(held, reach, mode="nearest"), reach, mode="nearest")
    return _straight_lines(smooth, len(peaks))


def _straight_lines(smooth: FloatArray, n_samples: int) -> FloatArray:
    """A value for each sample from one for each `_LIMITER_STEP`, which stands in the step's middle."""
    half = _LIMITER_STEP // 2
    parts = np.arange(_LIMITER_STEP, dtype=np.float32) / _LIMITER_STEP
    curve = np.empty(len(smooth) * _LIMITER_STEP, dtype=np.float32)
    curve[:half], curve[-half:] = smooth[0], smooth[-1]
    between = curve[half:-half].reshape(-1, _LIMITER_STEP)
    np.multiply(np.diff(smooth)[:, None], parts, out=between)
    between += smooth[:-1, None]
    return curve[:n_samples]


def _amplified(waveform: Waveform, gain_db: float) -> Waveform:
    return Waveform(waveform.samples * np.float32(10 ** (gain_db / 20)), waveform.sr)


def _db(amplitude: float) -> float:
    return 20.0 * math.log10(amplitude) if amplitude > 0.0 else -math.inf
