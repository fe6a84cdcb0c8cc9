"""The curve's picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.datatypes import InterestCurve, Rhythm, TrackAnalysis, Window
from inference.plot import CHOSEN, DPI, SIZE_INCHES, clock, draw_curve


def analysis_of(duration_s: float, hop_s: float = 0.74) -> TrackAnalysis:
    values = (0.5 + 0.4 * np.sin(np.arange(max(1, int(duration_s / hop_s))) / 9)).astype(np.float32)
    profile = np.linspace(0, 1, 300).astype(np.float32)
    return TrackAnalysis(
        duration_s, InterestCurve(values, hop_s), Rhythm(None), None, None, 0.5, "v", loudness_profile=profile
    )


def share_of_chosen(path: Path, first: float, last: float) -> float:
    """How much of a band of columns is tinted as the chosen window."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    band = pixels[:, round(first * pixels.shape[1]) : round(last * pixels.shape[1])]
    red, blue = int(CHOSEN[1:3], 16), int(CHOSEN[5:7], 16)
    return float(((band[..., 0] - band[..., 2]) > 0.15 * (red - blue)).mean())


@pytest.mark.parametrize("duration_s", [0.5, 29.0, 240.0, 3 * 3600.0])
def test_picture_has_its_size_for_any_length(duration_s: float, tmp_path: Path) -> None:
    window = Window(0.0, min(30.0, duration_s))
    others = (Window(duration_s / 2, duration_s / 2 + 10),)
    draw_curve(analysis_of(duration_s), window, others, tmp_path / "c.png", "Title")
    with Image.open(tmp_path / "c.png") as picture:
        size = picture.size
    assert size == (round(SIZE_INCHES[0] * DPI), round(SIZE_INCHES[1] * DPI))


def test_window_is_shaded_where_it_lies(tmp_path: Path) -> None:
    draw_curve(analysis_of(200.0), Window(150.0, 190.0), (), tmp_path / "c.png")
    assert share_of_chosen(tmp_path / "c.png", 0.80, 0.92) > 0.3
    assert share_of_chosen(tmp_path / "c.png", 0.10, 0.60) < 0.02


@pytest.mark.parametrize("title", ["", "$x_1$ 100% \\frac", "Чайка", "🎵 夜に駆ける", "a\nb", "x" * 300])
def test_any_title_is_drawn(title: str, tmp_path: Path) -> None:
    draw_curve(analysis_of(100.0), Window(10.0, 40.0), (), tmp_path / "c.png", title)
    assert (tmp_path / "c.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (62, "1:02"), (3599, "59:59"), (3723, "1:02:03")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
