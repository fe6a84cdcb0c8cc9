"""Audio -> what the network and the rhythm stage read, in one streaming pass over mono samples.

Conventions: arrays are time first; pooled frame i describes [i * hop_s, (i + 1) * hop_s). Spectral frame t is
centred on sample t * hop_length, as in librosa with `center=True` and zeros outside the track; frames whose
centre lies outside the track do not exist. Only pooled frames are kept: about 2 MB for each ten minutes.
"""

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.signal import get_window

from inference.chroma import Chroma
from inference.config import FeatureConfig
from inference.datatypes import FloatArray, TrackFeatures
from inference.filters import mel_filters

POWER_FLOOR = 1e-14  # -140 dB re a full-scale sine: a recording at -40 dB still keeps its own quiet parts
DYNAMIC_RANGE = (
    1e-8  # onsets are looked for in the 80 dB under the loudest band so far, as librosa's top_db does
)
SAMPLE_LIMIT = 8.0  # decoders overshoot full scale by a few dB; more than +18 dB is damage
BASS_FMAX = 150.0  # Hz: kick drum and bass line
POOLS_PER_BLOCK = 16  # 3 s a block: spectra of a block stay in the processor's cache


class FeatureExtractor:
    """Collects a track's features from blocks of any size; where the blocks are cut changes nothing.

    Raises nothing on bad samples: NaN and infinities are read as silence.
    """

    def __init__(self, config: FeatureConfig | None = None) -> None:
        self.config = config = config or FeatureConfig()
        self._window = get_window("hann", config.n_fft).astype(np.float32)
        # A full-scale sine that falls on a bin has power 1 there.
        self._power_scale = np.float32((self._window.sum() / 2) ** -2)
        weights, self._centres = mel_filters(config)
        self._mel_weights = (weights * self._power_scale).T.tocsc()
        self._chroma = Chroma(config)
        self._pool_samples = config.hop_length * config.pool
        # History before the next block's first sample: what the longest window still needs from the left.
        self._margin = max(config.n_fft, config.chroma_n_fft) // 2
        self._buffer: FloatArray = np.zeros(self._margin, np.float32)
        self._pending: list[FloatArray] = []
        self._n_pending = 0
        self._n_samples = 0
        self._n_done = 0  # samples already turned into pooled frames
        self._mel: list[FloatArray] = []
        self._loudness: list[FloatArray] = []
        self._flux: list[FloatArray] = []
        self._flux_bass: list[FloatArray] = []
        self._loudest = np.float32(POWER_FLOOR)
        self._previous: FloatArray | None = None

    def push(self, y: npt.ArrayLike) -> None:
        """Take the next samples: (n,) mono at `config.sr`, n may be 0."""
        samples = np.asarray(y, np.float32).reshape(-1)
        # Written so that NaN, which compares false, is cleaned too.
        if len(samples) and not (samples.max() <= SAMPLE_LIMIT and samples.min() >= -SAMPLE_LIMIT):
            samples = np.where(np.isfinite(samples), samples, np.float32(0))
            np.clip(samples, -SAMPLE_LIMIT, SAMPLE_LIMIT, out=samples)
        self._pending.append(samples)
        self._n_pending += len(samples)
        self._n_samples += len(samples)
        if self._n_pending >= POOLS_PER_BLOCK * self._pool_samples + self._margin:
            self._buffer = np.concatenate([self._buffer, *self._pending])
            self._pending, self._n_pending = [], 0
            self._consume(final=False)

    def finish(self) -> TrackFeatures:
        """The features of all that was pushed; at least one frame, even of an empty track."""
        config = self.config
        if self._n_samples == 0:
            self.push(np.zeros(1, np.float32))
        tail = np.zeros(self._margin + self._pool_samples, np.float32)
        self._buffer = np.concatenate([self._buffer, *self._pending, tail])
        self._pending, self._n_pending = [], 0
        self._consume(final=True)
        onset = _joined(self._flux)
        onset_bass = _joined(self._flux_bass)
        # librosa's delay for centred frames: a rise is seen half a window before the centre passes it.
        delay = config.n_fft // (2 * config.hop_length)
        return TrackFeatures(
            mel=_joined(self._mel),
            chroma=self._chroma.finish(),
            loudness_db=_joined(self._loudness),
            hop_s=config.hop_s,
            onset_envelope=_delayed(onset, delay),
            onset_bass=_delayed(onset_bass, delay),
            onset_hop_s=config.hop_length / config.sr,
            duration_s=self._n_samples / config.sr,
        )

    def _consume(self, *, final: bool) -> None:
        """Turn what the buffer holds into pooled frames, block by block."""
        pool_samples, margin = self._pool_samples, self._margin
        start = 0
        while True:
            left = self._n_samples - self._n_done
            ready = len(self._buffer) - start - 2 * margin
            n_pools = POOLS_PER_BLOCK
            if ready < n_pools * pool_samples or (final and left < n_pools * pool_samples):
                if not final or left <= 0:
                    break
                n_pools = -(-left // pool_samples)
            block = self._buffer[start : start + n_pools * pool_samples + 2 * margin]
            n_inside = min(left, n_pools * pool_samples)
            self._measure(block, n_pools, n_inside)
            start += n_pools * pool_samples
            self._n_done += n_inside
        self._buffer = self._buffer[start:].copy()

    def _measure(self, block: FloatArray, n_pools: int, n_inside: int) -> None:
        """Features of `n_pools` pooled frames.

        `block` has the margin on both sides; `n_inside` of its samples between them belong to the track.
        """
        config, margin = self.config, self._margin
        inner = block[margin : margin + n_inside]
        edges = np.arange(0, n_inside, self._pool_samples)
        counts = np.diff(np.append(edges, n_inside)).astype(np.float32)
        power = np.add.reduceat(inner * inner, edges, dtype=np.float32) / counts
        self._loudness.append(_decibels(power))

        half = config.n_fft // 2
        n_frames = -(-n_inside // config.hop_length)
        frames = np.lib.stride_tricks.sliding_window_view(block[margin - half :], config.n_fft)
        frames = frames[:: config.hop_length][:n_frames]
        spectrum = scipy.fft.rfft(frames * self._window, axis=1)
        mel = (spectrum.real**2 + spectrum.imag**2) @ self._mel_weights
        edges = np.arange(0, n_frames, config.pool)
        counts = np.diff(np.append(edges, n_frames)).astype(np.float32)
        pooled = np.add.reduceat(mel, edges, axis=0, dtype=np.float32) / counts[:, None]
        self._mel.append(_decibels(pooled))
        self._add_flux(mel)
        self._chroma.push(block, margin, n_pools)

    def _add_flux(self, mel: FloatArray) -> None:
        """Half-wave rectified rise of the log-mel from frame to frame (librosa's onset_strength, lag 1)."""
        peaks = np.maximum.accumulate(np.append(self._loudest, mel.max(axis=1)))
        self._loudest = peaks[-1]
        floor = np.maximum(peaks[1:, None] * np.float32(DYNAMIC_RANGE), np.float32(POWER_FLOOR))
        level = np.float32(10) * np.log10(np.maximum(mel, floor))
        before = level[:1] if self._previous is None else self._previous
        rise = np.maximum(np.diff(level, axis=0, prepend=before), 0)
        self._previous = level[-1:]
        bass = rise[:, self._centres < BASS_FMAX]
        self._flux.append(rise.mean(axis=1))
        self._flux_bass.append(bass.mean(axis=1) if bass.shape[1] else rise.mean(axis=1))


def extract_features(y: npt.ArrayLike, config: FeatureConfig | None = None) -> TrackFeatures:
    """Features of a whole track: `y` (n,) mono at the configuration's `sr`."""
    extractor = FeatureExtractor(config)
    extractor.push(y)
    return extractor.finish()


def _decibels(power: npt.NDArray[np.floating]) -> FloatArray:
    floor_db = np.float32(10 * np.log10(POWER_FLOOR))
    level: FloatArray = np.float32(10) * np.log10(np.maximum(power, np.float32(POWER_FLOOR)))
    return np.maximum(level, floor_db)


def _joined(parts: list[FloatArray]) -> FloatArray:
    """All parts in one array; the list is emptied, so that a long track is not held twice."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def _delayed(envelope: FloatArray, n: int) -> FloatArray:
    out = np.zeros_like(envelope)
    out[n:] = envelope[: max(0, len(envelope) - n)]
    return out
