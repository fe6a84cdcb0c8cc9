"""Tracks of any length in the formats that listeners send, from one song."""

import shutil
import struct
from pathlib import Path

import av
import numpy as np

from sandbox.song import FloatArray, synthesise_song, write_audio

FORMATS = ("mp3", "m4a", "flac")
MUXERS = {"mp3": "mp3", "m4a": "mp4", "flac": "flac"}
FLAC_MD5 = 26  # "fLaC", a block's header, and STREAMINFO without its last 16 bytes
ID3V1_BYTES = 128
BLOCK = 65_536
FREE_BOX = struct.pack(">I4s", 16, b"free")


def make_track(folder: Path, name: str, length_s: float, audio: Path | None = None) -> Path:
    """A track of that length. Packets are repeated where that is faster than encoding hours."""
    path = folder / f"track-{length_s:.0f}.{name}"
    samples, sr, _ = synthesise_song()
    if name == "flac":
        write_flac(path, samples, sr, length_s)
        return path
    seed = audio if audio and name == "mp3" else folder / f"seed.{name}"
    if not seed.exists():
        write_audio(seed, samples, sr)
    repeat_packets(seed, path, length_s)
    return path


def write_flac(path: Path, samples: FloatArray, sr: int, length_s: float) -> None:
    """The song again and again. Frames are numbered, so repeated packets would not be a FLAC stream."""
    song = np.ascontiguousarray(np.round(samples * 32_767).astype(np.int16).T)
    with av.open(str(path), "w", format="flac") as out:
        stream = out.add_stream("flac", rate=sr)
        stream.layout = "stereo"
        n_left = round(length_s * sr)
        while n_left > 0:
            for start in range(0, min(len(song), n_left), BLOCK):
                block = song[start : min(start + BLOCK, n_left)]
                frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout="stereo")
                frame.sample_rate = sr
                out.mux(stream.encode(frame))
            n_left -= len(song)
        out.mux(stream.encode(None))


def repeat_packets(seed: Path, path: Path, length_s: float) -> None:
    with av.open(str(path), "w", format=MUXERS[path.suffix[1:]]) as out:
        stream = None
        offset = end = 0
        while True:
            with av.open(str(seed)) as container:
                source = container.streams.audio[0]
                stream = stream or out.add_stream_from_template(source)
                for packet in container.demux(source):
                    if not packet.size or packet.pts is None:
                        continue
                    # The encoder's lead-in lies before 0.
                    offset -= min(0, packet.pts + offset - end)
                    packet.pts = packet.dts = packet.pts + offset
                    end = max(end, packet.pts + (packet.duration or 0))
                    if packet.time_base and float(end * packet.time_base) > length_s:
                        return
                    packet.stream = stream
                    out.mux(packet)
                offset = end


def distinct_copy(track: Path, folder: Path, n: int) -> Path:
    """A copy that differs where no decoder looks, so that the bot meets a file it has never seen.

    MP3: an ID3v1 tag more; M4A: a `free` box; FLAC: another checksum of the sound.
    """
    path = Path(shutil.copyfile(track, folder / f"copy-{n}{track.suffix}"))
    mark = struct.pack(">Q", n + 1)
    with path.open("r+b") as file:
        if path.suffix == ".flac":
            file.seek(FLAC_MD5)
            file.write(mark * 2)
            return path
        file.seek(0, 2)
        is_mp3 = path.suffix == ".mp3"
        file.write(f"TAGTrack {n}".encode().ljust(ID3V1_BYTES, b"\0") if is_mp3 else FREE_BOX + mark)
    return path
