"""One audio stream of a file, as blocks of float samples.

A file is opened by what is in it: its name is never shown to libav, so neither a wrong suffix nor a hostile
name plays a part, and playlists that would open other files or addresses are not among the formats allowed.
Headers are hints: every number that matters comes from decoded samples. Damaged packets are skipped. Time
runs in seconds from the first decoded sample.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from inference.errors import InputRejected, Rejection
from inference.joiner import BLOCK_SAMPLES, Block, Joiner
from inference.ogg import FilePart, find_links

NOTE_EVERY_S = 1.0  # how finely the packet index knows the way
PREROLL_S = (
    0.5  # a decoder that starts in the middle needs this much to settle (mp3 bit reservoir, AAC, Opus)
)
_READ_BYTES = 1 << 17
_RATES = range(1_000, 800_000)
_MAX_READ_ERRORS = 32
_SEEK_PACKETS = 500  # how far before its aim a seek may lead and still be worth following
_HINTED_PACKET_S = 2.0  # what one packet may claim to last when a whole file is measured without decoding

# Sound and film as people send them. Playlists, image sequences, subtitles and devices stay out.
_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,iff,latm,loas,m4v,"
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,ogg,oma,qcp,rm,shn,spx,tak,truehd,tta,"
    "voc,w64,wav,wv,wve,xwma"
)
_SIGNATURES = (
    b"ID3",
    b"OggS",
    b"fLaC",
    b"RIFF",
    b"RF64",
    b"caff",
    b"FORM",
    b"#!AMR",
    b"\x1aE\xdf\xa3",
    b"MAC ",
)


class Place(NamedTuple):
    """Tells a packet from all others of its stream: where it lies, and its time in the stream's units."""

    byte: int
    pts: int


class Resume(NamedTuple):
    """Decode from packet `first` on, drop what comes before packet `anchor`, which starts at `anchor_s`."""

    first: int
    anchor: int
    anchor_s: float
    first_place: Place | None = None


@dataclass(slots=True)
class PacketIndex:
    """What time has been reached at which packet, noted about once a second while a track is decoded.

    It leads back to any moment without decoding what lies before, also where a container's own index is
    wrong or missing (VBR mp3 without a Xing header, chained Ogg).
    """

    packets: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    places: list[Place | None] = field(default_factory=list)

    def note(self, packet: int, time_s: float, place: Place | None) -> None:
        self.packets.append(packet)
        self.times_s.append(time_s)
        self.places.append(place)

    def resume_before(self, time_s: float) -> Resume | None:
        """The way to `time_s`, or None when it is simplest to start at the beginning."""
        anchor = int(np.searchsorted(self.times_s, time_s, side="right")) - 1
        if anchor < 1:
            return None
        first = int(np.searchsorted(self.times_s, self.times_s[anchor] - PREROLL_S, side="right")) - 1
        if first < 1:
            return None
        return Resume(self.packets[first], self.packets[anchor], self.times_s[anchor], self.places[first])


class AudioSource:
    """The best audio stream of an open file, through all links of a chained one. Use `open_source`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._links = find_links(file)
        self._container = _open(FilePart(file, self._links[0]))
        self._stream = _pick_stream(self._container)
        self._n_bad = 0

    def close(self) -> None:
        self._container.close()

    @property
    def tags(self) -> dict[str, str]:
        """The file's own tags, names in lower case; the stream's where the container has none (Ogg)."""
        tags = {**self._stream.metadata, **self._container.metadata}
        return {name.lower(): value for name, value in tags.items()}

    @property
    def cover(self) -> bytes | None:
        """The attached picture, still encoded (JPEG or PNG)."""
        for stream in self._container.streams.video:
            if av.stream.Disposition.attached_pic in stream.disposition:
                with suppress(FFmpegError):
                    return bytes(next(self._container.demux(stream)))
        return None

    @property
    def hinted_duration_s(self) -> float | None:
        """What the header says. It may be wrong by hours either way."""
        if self._stream.duration and self._stream.time_base:
            return float(self._stream.duration * self._stream.time_base)
        return self._container.duration / 1e6 if self._container.duration else None

    def measure_packets_s(self, stop_s: float) -> float:
        """Add up what the packets claim to last, without decoding, until `stop_s` is passed."""
        total_s = 0.0
        last_pts: int | None = None
        for packet in self._packets():
            ticks = packet.duration or 0
            if not ticks and packet.pts is not None and last_pts is not None:
                ticks = packet.pts - last_pts  # FLAC's packets tell when they begin only
            last_pts = packet.pts
            if ticks > 0 and packet.time_base:
                total_s += min(_HINTED_PACKET_S, float(ticks * packet.time_base))
            if total_s > stop_s:
                break
        return total_s

    def blocks(self, *, index: PacketIndex | None = None, resume: Resume | None = None) -> Iterator[Block]:
        """Decode the stream in blocks of about `BLOCK_SAMPLES`; a change of rate or channels ends a block.

        `index` is filled on the way. With `resume`, output begins at its anchor.
        """
        joiner: Joiner | None = None
        time_s = next_note_s = 0.0
        packets = enumerate(self._packets()) if resume is None else self._packets_for(resume)
        for number, packet in packets:
            if resume is not None and number == resume.anchor:
                joiner, time_s = None, resume.anchor_s
            if index is not None:
                reached_s = joiner.end_s if joiner is not None else time_s
                if reached_s >= next_note_s:
                    index.note(number, reached_s, _place(packet))
                    next_note_s = reached_s + NOTE_EVERY_S
            for frame in self._decode(packet):
                if joiner is not None and not joiner.fits(frame):
                    yield from joiner.finish()
                    time_s, joiner = joiner.end_s, None
                if joiner is None:
                    joiner = self._joiner(frame, time_s)
                if joiner is not None:
                    joiner.push(frame)
            while joiner is not None and joiner.n_waiting >= BLOCK_SAMPLES:
                yield joiner.pull()
        if joiner is not None:
            yield from joiner.finish()

    def explain_nothing(self) -> InputRejected:
        """Why a stream that gave no sample at all is refused."""
        if self._n_bad or (self.hinted_duration_s or 0.0) > 0.0:
            return InputRejected(Rejection.DAMAGED, f"nothing decodes ({self._stream.codec.name})", 0.0)
        return InputRejected(Rejection.EMPTY, "the stream holds no samples", 0.0)

    def _packets(self) -> "Iterator[Packet[AudioStream]]":
        """All packets of the stream, link after link; after an error in reading, what follows it."""
        yield from self._packets_of(self._container, self._stream)
        for link in self._links[1:]:
            try:
                container = _open(FilePart(self._file, link))
                with container:
                    yield from self._packets_of(container, _pick_stream(container))
            except InputRejected:
                self._n_bad += 1

    def _packets_for(self, resume: Resume) -> "Iterator[tuple[int, Packet[AudioStream]]]":
        """Packets with their numbers from `resume.first` on, and before it those that change the decoder.

        By a seek where it leads to that very packet; what a container believes of its times is not trusted.
        Otherwise all packets are read, which takes a tenth of decoding them.
        """
        if resume.first_place is not None and len(self._links) == 1:
            with suppress(FFmpegError):
                self._container.seek(resume.first_place.pts, stream=self._stream)
            packets = self._packets_of(self._container, self._stream)
            for packet in islice(packets, _SEEK_PACKETS):
                if _place(packet) == resume.first_place:
                    yield resume.first, packet
                    yield from enumerate(packets, resume.first + 1)
                    return
            self._container.close()
            self._container = _open(FilePart(self._file, self._links[0]))
            self._stream = _pick_stream(self._container)
        for number, packet in enumerate(self._packets()):
            if number >= resume.first or packet.has_sidedata("new_extradata"):
                yield number, packet

    def _packets_of(self, container: InputContainer, stream: AudioStream) -> "Iterator[Packet[AudioStream]]":
        for _ in range(_MAX_READ_ERRORS):
            try:
                yield from container.demux(stream)
            except FFmpegError:
                self._n_bad += 1
            else:
                return

    def _joiner(self, frame: AudioFrame, start_s: float) -> "Joiner | None":
        """None: a rate, or more channels than any filter takes, which only damage can claim."""
        if frame.sample_rate not in _RATES:
            return None
        try:
            return Joiner(frame, start_s)
        except FFmpegError:
            self._n_bad += 1
            return None

    def _decode(self, packet: "Packet[AudioStream]") -> list[AudioFrame]:
        try:
            frames = packet.decode()
        except FFmpegError:
            self._n_bad += 1
            return []
        return [frame for frame in frames if frame.samples > 0]


def _place(packet: "Packet[AudioStream]") -> Place | None:
    return None if packet.pts is None or packet.pos is None else Place(packet.pos, packet.pts)


@contextmanager
def open_source(path: Path | str) -> Iterator[AudioSource]:
    """Open the audio of `path`.

    Raises InputRejected: EMPTY, NOT_AUDIO, DAMAGED, NO_AUDIO_STREAM. The file system's errors are OSError.
    """
    with Path(path).open("rb") as file:
        source = AudioSource(file)
        try:
            yield source
        finally:
            source.close()


def read_cover(path: Path | str) -> bytes | None:
    """The picture attached to a track, still encoded, if there is one."""
    with open_source(path) as source:
        return source.cover


def _open(part: FilePart) -> InputContainer:
    head = part.read(12)
    part.seek(0)
    if not head:
        raise InputRejected(Rejection.EMPTY, "0 bytes", 0.0)
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
    try:
        return av.open(part, "r", options=options, buffer_size=_READ_BYTES, metadata_errors="replace")
    except (FFmpegError, ValueError) as exc:
        looks_right = head.startswith(_SIGNATURES) or head[4:8] in {b"ftyp", b"moov", b"mdat"}
        code = Rejection.DAMAGED if looks_right else Rejection.NOT_AUDIO
        raise InputRejected(code, getattr(exc, "strerror", None) or str(exc)) from exc


def _pick_stream(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise InputRejected(
            Rejection.NO_AUDIO_STREAM, f"{len(container.streams)} streams, none of them sound"
        )
    best = container.streams.best("audio")
    streams = [best] if isinstance(best, AudioStream) else []
    for stream in (*streams, *container.streams.audio):
        # A stream of a codec that this build does not know has no context at all.
        if stream.codec_context is not None:
            # FLAC would decode ahead in threads; a worker has one core, and the index needs packets in step.
            stream.codec_context.thread_count = 1
            return stream
    raise InputRejected(Rejection.DAMAGED, "no decoder for the audio stream")
