"""A cover for a mix: one ring, each track an arc as long as its part, coloured by its key.

Neighbours on the Camelot wheel have neighbouring hues, so that a smooth mix looks smooth. Pure: no fonts,
no files.
"""

import colorsys
import io
import math

from PIL import Image, ImageDraw

from inference.mixing.nouns import MixPlan

PIXELS = 640
OVERSAMPLING = 2
GROUND = (23, 27, 41)
UNKNOWN = (150, 158, 178)


def draw_cover(plan: MixPlan, pixels: int = PIXELS) -> bytes:
    """A square JPEG."""
    size = pixels * OVERSAMPLING
    image = Image.new("RGB", (size, size), GROUND)
    draw = ImageDraw.Draw(image)
    starts_s = [segment.start_s for segment in plan.segments]
    ends_s = [*starts_s[1:], plan.total_s]
    total_s = max(plan.total_s, 1e-9)
    for segment, start_s, end_s in zip(plan.segments, starts_s, ends_s, strict=True):
        from_deg, to_deg = (360.0 * t / total_s - 90.0 for t in (start_s, end_s))
        _arc(draw, size, 0.43, 0.15, from_deg, to_deg, key_colour(segment.camelot))
        _arc(
            draw, size, 0.26, 0.012 * _beats(segment.tempo_bpm), from_deg, to_deg, key_colour(segment.camelot)
        )
    _play_sign(draw, size)
    small = image.resize((pixels, pixels), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=90)
    return out.getvalue()


def _arc(
    draw: ImageDraw.ImageDraw,
    size: int,
    radius: float,
    width: float,
    from_deg: float,
    to_deg: float,
    colour: tuple[int, int, int],
) -> None:
    """`radius` (outer) and `width` as shares of the picture; a small gap is left at the end."""
    gap_deg = min(1.6, (to_deg - from_deg) / 4)
    box = [size * (0.5 - radius), size * (0.5 - radius), size * (0.5 + radius), size * (0.5 + radius)]
    draw.arc(box, from_deg, to_deg - gap_deg, fill=colour, width=max(round(width * size), 1))


def _beats(tempo_bpm: float | None) -> float:
    """1..4 with the tempo, a faster track's inner arc being thicker."""
    return 1.0 if tempo_bpm is None else min(max((tempo_bpm - 40.0) / 35.0, 1.0), 4.0)


def key_colour(camelot: str | None) -> tuple[int, int, int]:
    if camelot is None:
        return UNKNOWN
    number, letter = int(camelot[:-1]), camelot[-1]
    lightness = 0.56 if letter == "A" else 0.66  # minor is darker
    red, green, blue = colorsys.hls_to_rgb((number - 1) / 12.0, lightness, 0.72)
    return round(red * 255), round(green * 255), round(blue * 255)


def _play_sign(draw: ImageDraw.ImageDraw, size: int) -> None:
    radius = 0.085 * size
    corners = [
        (size / 2 + radius * math.cos(a), size / 2 + radius * math.sin(a))
        for a in (0.0, 2 * math.pi / 3, 4 * math.pi / 3)
    ]
    draw.polygon(corners, fill=(240, 242, 248))
