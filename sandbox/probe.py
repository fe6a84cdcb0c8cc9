"""What a file is, from its bytes: what servers and clients find out when one is uploaded."""

import io
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

import av
import av.error
from PIL import Image, UnidentifiedImageError

from sandbox.refusals import Json

_MIME = {
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/x-flac",
    ".wav": "audio/x-wav",
    ".aac": "audio/aac",
}
_IMAGES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True, slots=True)
class Probe:
    """`container` and `codec` in FFmpeg's words; `duration_s` 0 where the header has none."""

    container: str = ""
    codec: str = ""
    duration_s: float = 0.0
    width: int = 0
    height: int = 0
    has_video: bool = False
    has_audio: bool = False
    tags: Json = field(default_factory=dict)
    cover: bytes | None = None

    @property
    def is_voice_format(self) -> bool:
        """Whether sendVoice takes it: OGG with Opus, MP3 or M4A."""
        return self.is_opus or self.is_music_format

    @property
    def is_opus(self) -> bool:
        return self.container == "ogg" and self.codec == "opus"

    @property
    def is_music_format(self) -> bool:
        """Whether sendAudio shows it in the music player: MP3 or M4A."""
        is_m4a = "mp4" in self.container and self.codec in {"aac", "alac"} and not self.has_video
        return (self.container == "mp3" and self.codec.startswith("mp3")) or is_m4a


def probe_media(path: Path) -> Probe:
    """Read the headers of an audio or video file; an empty Probe when it is neither."""
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            audio = container.streams.audio[0] if container.streams.audio else None
            covers = [
                s for s in container.streams.video if s.disposition & av.stream.Disposition.attached_pic
            ]
            moving = [s for s in container.streams.video if s not in covers]
            duration_s = container.duration / av.time_base if container.duration else 0.0
            tags = {key.lower(): value for key, value in container.metadata.items()}
            if audio is not None:
                tags |= {key.lower(): value for key, value in audio.metadata.items()}
            cover = None
            if covers:
                packet = next(iter(container.demux(covers[0])), None)
                cover = bytes(packet) if packet is not None and packet.size else None
            return Probe(
                container=container.format.name,
                codec=audio.codec_context.name if audio is not None else "",
                duration_s=max(duration_s, 0.0),
                width=moving[0].codec_context.width if moving else 0,
                height=moving[0].codec_context.height if moving else 0,
                has_video=bool(moving),
                has_audio=audio is not None,
                tags=tags,
                cover=cover,
            )
    except (av.error.FFmpegError, OSError, ValueError):
        return Probe()


def rewrap_as_ogg(path: Path) -> Probe:
    """Put an Opus stream of another container into OGG, in place."""
    target = path.with_suffix(".rewrapped")
    with av.open(str(path)) as source, av.open(str(target), "w", format="ogg") as container:
        stream = container.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    target.replace(path)
    return probe_media(path)


def image_size(content: bytes | Path) -> tuple[int, int, str] | None:
    """(width, height, format) of a picture, None when it is not one."""
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
            return image.width, image.height, image.format or ""
    except (UnidentifiedImageError, OSError, ValueError):
        return None


def shrink_image(content: bytes | Path, side: int, target: Path) -> tuple[int, int] | None:
    """Write a JPEG of at most `side` x `side` pixels; its (width, height), None when it is no picture."""
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
            small = image.convert("RGB")
            small.thumbnail((side, side))
            small.save(target, "JPEG", quality=82)
            return small.width, small.height
    except (UnidentifiedImageError, OSError, ValueError):
        return None


def guess_mime(file_name: str) -> str:
    suffix = Path(file_name).suffix.lower()
    return _MIME.get(suffix) or mimetypes.guess_type(file_name)[0] or "application/octet-stream"


def guess_kind(file_name: str, probe: Probe) -> str:
    """What a Telegram client makes of a chosen file: audio, photo, video or document."""
    suffix = Path(file_name).suffix.lower()
    if suffix in _IMAGES:
        return "photo"
    if probe.has_video and suffix in {".mp4", ".mov", ".m4v"}:
        return "video"
    if suffix in _MIME and suffix != ".wav" and probe.has_audio:
        return "audio"
    return "document"
