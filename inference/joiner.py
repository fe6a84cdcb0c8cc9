"""Decoded frames in, large blocks of float samples out."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.filter import Graph

from inference.datatypes import FloatArray, Waveform

BLOCK_SAMPLES = 1 << 15
_LOUDEST_SANE = 16.0  # 24 dB over full scale; float files hold more only by damage
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


class Block(NamedTuple):
    """`start_s` of the first sample; at most two channels."""

    start_s: float
    waveform: Waveform


class Joiner:
    """Decoded frames of one shape in, large blocks of float samples with at most two channels out.

    libav's own filters convert, mix down and join: for an MP3 a third of what the same costs with an array
    for each frame.
    """

    def __init__(self, frame: AudioFrame, start_s: float) -> None:
        self._sr, self._format, self._layout = frame.sample_rate, frame.format.name, frame.layout.name
        self._start_s = start_s
        self._n_pulled = 0
        self.n_waiting = 0
        try:
            self._graph = self._build(frame, [])
        except FFmpegError:
            # Channels without places, as of a mixing desk with 32: in turn to the left and to the right.
            sides = ("+".join(f"c{n}" for n in range(side, frame.layout.nb_channels, 2)) for side in (0, 1))
            self._graph = self._build(frame, [("pan", "stereo|c0<{}|c1<{}".format(*sides))])

    def _build(self, frame: AudioFrame, filters: list[tuple[str, str]]) -> Graph:
        """Source, `filters`, the format that is wanted, sink. Raises FFmpegError where they do not fit."""
        graph = Graph()
        self._source = node = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=_layout_name(frame),
            time_base=f"1/{frame.sample_rate}",
        )
        layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
        wanted = ("aformat", f"sample_fmts=fltp:channel_layouts={layout}")
        for following in [graph.add(name, args) for name, args in [*filters, wanted]]:
            node.link_to(following)
            node = following
        self._sink = graph.add("abuffersink")
        node.link_to(self._sink)
        graph.configure()
        graph.set_audio_frame_size(BLOCK_SAMPLES)
        return graph

    @property
    def end_s(self) -> float:
        return self._start_s + (self._n_pulled + self.n_waiting) / self._sr

    def fits(self, frame: AudioFrame) -> bool:
        return bool(
            frame.sample_rate == self._sr
            and frame.format.name == self._format
            and frame.layout.name == self._layout
        )

    def push(self, frame: AudioFrame) -> None:
        self.n_waiting += frame.samples
        frame.pts = None  # what a damaged file says of its time must not make the filters wait
        self._source.push(frame)

    def finish(self) -> Iterator[Block]:
        self._source.push(None)
        while self.n_waiting > 0:
            yield self.pull()

    def pull(self) -> Block:
        """The next `BLOCK_SAMPLES`, which must be waiting; less after the last push."""
        frame = self._sink.pull()
        if not isinstance(frame, AudioFrame):
            raise TypeError("an audio sink gives audio frames")
        start_s = self._start_s + self._n_pulled / self._sr
        self._n_pulled += frame.samples
        self.n_waiting -= frame.samples
        samples = np.asarray(frame.to_ndarray(), dtype=np.float32)
        return Block(start_s, Waveform(_finite(samples), self._sr))


def _layout_name(frame: AudioFrame) -> str:
    """The frame's layout; a count of channels without places is read as the usual layout of that many."""
    name, n_channels = frame.layout.name, frame.layout.nb_channels
    if "channels (" in name:  # places that have no name together: `1 channels (FL)` is written `FL`
        return name.partition("(")[2].rstrip(")")
    return _USUAL_LAYOUTS.get(n_channels, name) if "channels" in name else name


def _finite(samples: FloatArray) -> FloatArray:
    """Float files can hold anything: no number and endless ones become silence, absurd ones are clipped."""
    # Written so that a comparison with NaN, which is false, leads to the cleaning.
    if samples.max() <= _LOUDEST_SANE and samples.min() >= -_LOUDEST_SANE:
        return samples
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(samples, -_LOUDEST_SANE, _LOUDEST_SANE))
