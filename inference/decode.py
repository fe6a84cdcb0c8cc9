"""From a file to the two copies of its sound.

The analysis copy is mono at the model's rate, made in one streaming pass. The served copy is the chosen span
only, decoded again from the original with its own channels (two at most) and resampled once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import soxr

from inference.config import MAX_TRACK_S, MIN_TRACK_S, VOICE_SR
from inference.datatypes import FloatArray, Waveform
from inference.errors import InputRejected, Rejection
from inference.source import AudioSource, PacketIndex, Resume, open_source

SILENCE_POWER = 10 ** (
    -90.0 / 10
)  # the loudest block of a track that nobody can hear; 16-bit dither is -98 dB
ANTIPHASE_POWER = 1e-3  # a downmix 30 dB under its channels has cancelled itself out
_SHORTFALL_S = 0.05  # how much of a span may be missing before the packet index is mistrusted


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What a track may last, in decoded seconds."""

    min_s: float = MIN_TRACK_S
    max_s: float = MAX_TRACK_S


@dataclass(slots=True)
class DecodedTrack:
    """What one pass over a track tells beside its sound."""

    duration_s: float = 0.0
    hinted_duration_s: float | None = None
    loudest_power: float = 0.0
    tags: dict[str, str] = field(default_factory=dict)
    index: PacketIndex = field(default_factory=PacketIndex)


def decode_track(
    path: Path | str,
    sr: int,
    consume: Callable[[FloatArray, DecodedTrack], None],
    limits: DecodeLimits = DecodeLimits(),
) -> DecodedTrack:
    """Feed the mono copy at `sr`, block after block, to `consume`: (n_samples,) float32.

    `consume` also sees what is known of the track so far.

    Raises InputRejected with each of its codes but TOO_BIG; the limits are applied to decoded time, so that a
    header can neither smuggle in a long track nor turn away a short one.
    """
    with open_source(path) as source:
        hint_s = source.hinted_duration_s
        track = DecodedTrack(hinted_duration_s=hint_s, tags=source.tags)
        # A header that claims too much, or says nothing, costs a look at the packets: ten times cheaper than
        # decoding.
        if hint_s is None or hint_s > limits.max_s:
            with open_source(path) as other:
                if other.measure_packets_s(limits.max_s) > limits.max_s:
                    raise InputRejected(Rejection.TOO_LONG, f"over {limits.max_s:.0f} s of packets")
        for y in _mono(source, sr, track, limits.max_s):
            consume(y, track)
        if track.duration_s == 0.0:
            raise source.explain_nothing()
    if track.duration_s < limits.min_s:
        detail = f"{track.duration_s:.2f} s decoded, at least {limits.min_s:g} s are needed"
        raise InputRejected(Rejection.TOO_SHORT, detail, track.duration_s)
    if track.loudest_power < SILENCE_POWER:
        raise InputRejected(Rejection.SILENT, "no block above -90 dBFS", track.duration_s)
    return track


def decode_mono(path: Path | str, sr: int, limits: DecodeLimits = DecodeLimits()) -> FloatArray:
    """The whole analysis copy at once, (n_samples,): for training and tests."""
    parts: list[FloatArray] = []
    decode_track(path, sr, lambda y, _: parts.append(y), limits)
    return np.concatenate(parts)


def decode_span(
    path: Path | str, start_s: float, end_s: float, index: PacketIndex | None = None, sr: int = VOICE_SR
) -> Waveform:
    """The original sound of [start_s, end_s) at `sr`, cut to the sample, mono or stereo.

    A pair whose sides cancel each other out becomes mono: a telephone's one speaker would play silence.
    Raises InputRejected(DAMAGED) when nothing of the span can be decoded.
    """
    resume = index.resume_before(start_s) if index is not None else None
    parts = _span_parts(path, start_s, end_s, resume)
    got_s = sum(part.duration_s for part in parts)
    if resume is not None and got_s < end_s - start_s - _SHORTFALL_S:
        parts = _span_parts(path, start_s, end_s, None)
    if not parts:
        raise InputRejected(Rejection.DAMAGED, f"nothing decodes in {start_s:.2f}-{end_s:.2f} s")
    samples = _join([_resample(run, sr) for run in _runs(parts)])
    samples = samples[:, : round((end_s - start_s) * sr)]
    return Waveform(np.ascontiguousarray(_without_antiphase(samples)), sr)


def downmix(samples: FloatArray) -> FloatArray:
    """Mono, (n_samples,), of one or two channels; of a pair that cancels itself out, its louder side."""
    if samples.shape[0] == 1:
        return np.asarray(samples[0])
    y = samples[0] + samples[1]
    y *= np.float32(0.5)
    powers = [_power(channel) for channel in samples]
    if _power(y) < ANTIPHASE_POWER * max(powers):
        return np.asarray(samples[int(np.argmax(powers))])
    return np.asarray(y)


def _mono(source: AudioSource, sr: int, track: DecodedTrack, max_s: float) -> Iterator[FloatArray]:
    """The downmix at `sr`; `track` is filled on the way."""
    resampler: soxr.ResampleStream | None = None
    native_sr = 0
    for block in source.blocks(index=track.index):
        waveform = block.waveform
        track.duration_s = block.start_s + waveform.duration_s
        if track.duration_s > max_s:
            raise InputRejected(Rejection.TOO_LONG, f"over {max_s:.0f} s decoded", track.duration_s)
        y = downmix(waveform.samples)
        track.loudest_power = max(track.loudest_power, _power(y))
        if waveform.sr != native_sr:
            if resampler is not None:
                yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
            native_sr = waveform.sr
            resampler = None if native_sr == sr else soxr.ResampleStream(native_sr, sr, 1, dtype="float32")
        yield y if resampler is None else resampler.resample_chunk(y)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _span_parts(path: Path | str, start_s: float, end_s: float, resume: Resume | None) -> list[Waveform]:
    parts = []
    with open_source(path) as source:
        for block in source.blocks(resume=resume):
            sr = block.waveform.sr
            first = max(0, round((start_s - block.start_s) * sr))
            last = round((end_s - block.start_s) * sr)
            if last <= 0:
                break
            samples = block.waveform.samples[:, first:last]
            if samples.shape[1]:
                parts.append(Waveform(samples, sr))
    return parts


def _runs(parts: list[Waveform]) -> list[Waveform]:
    """Neighbours of one rate joined, since a resampler leaves a mark at each of its ends."""
    return [
        Waveform(_join([part.samples for part in run]), sr)
        for sr, run in groupby(parts, key=lambda part: part.sr)
    ]


def _resample(waveform: Waveform, sr: int) -> FloatArray:
    if waveform.sr == sr:
        return waveform.samples
    return np.asarray(soxr.resample(waveform.samples.T, waveform.sr, sr).T, dtype=np.float32)


def _join(parts: list[FloatArray]) -> FloatArray:
    n_channels = max(part.shape[0] for part in parts)
    return np.concatenate([np.broadcast_to(part, (n_channels, part.shape[1])) for part in parts], axis=1)


def _without_antiphase(samples: FloatArray) -> FloatArray:
    if samples.shape[0] == 1:
        return samples
    mid = _power(samples[0] + samples[1]) / 4
    loudest = max(_power(channel) for channel in samples)
    return downmix(samples)[np.newaxis] if mid < ANTIPHASE_POWER * loudest else samples


def _power(y: FloatArray) -> float:
    return float(np.dot(y, y)) / max(1, len(y))
