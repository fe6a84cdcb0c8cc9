"""The sound of whole mixes: lengths, beats, levels, seams, files, memory."""

import pickle
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from inference.datatypes import InterestCurve, Rhythm, TrackAnalysis, Waveform, Window
from inference.decode import decode_span
from inference.errors import MixTrackRejected, Rejection
from inference.loudness import measure_dbtp, measure_lufs
from inference.mixing.nouns import Crossfade, Joint, MixOptions, MixPlan
from inference.mixing.plan import plan_mix
from inference.mixing.render import mix_blocks, render_mix, render_transition_preview
from inference.mixing.writer import BIT_RATES, MAX_BYTES, bit_rate_for
from inference.order import Order
from inference.pipeline import analyse_track

SR = 48_000
AS_SENT = MixOptions(order=Order.SENT, length_s=12.0)


def analysis(duration_s: float, bpm: float | None = None, first_s: float = 0.25) -> TrackAnalysis:
    beats = np.arange(first_s, duration_s, 60.0 / bpm) if bpm else np.zeros(0)
    values = np.exp(-0.5 * ((np.arange(int(duration_s) + 1) - duration_s / 2) / 3.0) ** 2)
    return TrackAnalysis(
        duration_s=duration_s,
        curve=InterestCurve(values.astype(np.float32), 1.0),
        rhythm=Rhythm(bpm, tuple(beats.tolist()), tuple(beats[::4].tolist())),
        key=None,
        loudness_lufs=None,
        confidence=0.9,
        model_version="test",
    )


def drums(bpm: float, duration_s: float, first_s: float = 0.25) -> npt.NDArray[np.float32]:
    """A click on each beat over a chord that never stops: (2, n_samples)."""
    t = np.arange(round(duration_s * SR)) / SR
    y = sum(0.1 * np.sin(2 * np.pi * hz * t) for hz in (220.0, 277.2, 329.6))
    n = round(0.05 * SR)
    click = 0.6 * np.sin(2 * np.pi * 1200 * t[:n]) * np.exp(-t[:n] * 100)
    for beat in np.arange(first_s, duration_s - 0.06, 60.0 / bpm):
        start = round(beat * SR)
        y[start : start + n] += click
    return np.stack([y, 0.9 * y]).astype(np.float32)


def pad(seed: int, seconds: float, amplitude: float = 0.3) -> npt.NDArray[np.float32]:
    """Smooth sound, in which any click would stand out."""
    hz = np.random.default_rng(seed).uniform(80, 400, 5)
    t = np.arange(round(seconds * SR)) / SR
    y = sum(np.sin(2 * np.pi * f * t + f) for f in hz) * amplitude / 3
    return np.stack([y, y]).astype(np.float32)


def rendered(
    plan: MixPlan, sounds: list[npt.NDArray[np.float32]]
) -> tuple[npt.NDArray[np.float32], list[float]]:
    """The mix before limiter and encoder, and the shifts."""
    shifts_ms: list[float] = []

    def load(track: int, start_s: float, end_s: float) -> Waveform:
        return Waveform(sounds[track][:, round(start_s * SR) : round(end_s * SR)].copy(), SR)

    return np.concatenate(list(mix_blocks(plan, load, shifts_ms)), axis=1), shifts_ms


@pytest.fixture
def two_files(write) -> list[Path]:
    return [
        write("a.flac", drums(120, 30.0), SR),
        write("b.flac", 0.15 * drums(123, 30.0, first_s=0.4), SR),
    ]


def two_plans() -> MixPlan:
    return plan_mix([analysis(30.0, 120), analysis(30.0, 123, 0.4)], AS_SENT)


def test_beats_of_both_tracks_fall_on_one_grid():
    plan = two_plans()
    mix, _ = rendered(plan, [drums(120, 30.0), drums(123, 30.0, 0.4)])

    (meeting,) = plan.transitions
    assert meeting.joint is Joint.BEATS
    loud = np.flatnonzero(np.abs(np.diff(mix[0])) > 0.25 * np.abs(np.diff(mix[0])).max())
    attacks_s = loud[np.diff(loud, prepend=-SR) > 0.1 * SR] / SR
    in_overlap = attacks_s[
        (attacks_s > meeting.start_s - 0.1) & (attacks_s < meeting.start_s + meeting.duration_s - 0.1)
    ]
    bars = np.arange(len(meeting.grid_s))
    beats_s = meeting.start_s + np.interp(np.arange(0, bars[-1], 0.25), bars, meeting.grid_s)
    assert len(in_overlap) == pytest.approx(len(beats_s), abs=1)
    assert np.abs(in_overlap[:, None] - beats_s[None, :]).min(axis=1).max() < 0.012


def test_beats_that_were_found_late_are_lined_up():
    late = analysis(30.0, 120, first_s=0.25 + 0.03)  # the sound's beats are 30 ms before those of the plan

    _, shifts_ms = rendered(
        plan_mix([analysis(30.0, 120), late], AS_SENT), [drums(120, 30.0), drums(120, 30.0)]
    )

    assert shifts_ms == [pytest.approx(-30.0, abs=3.0)]


@pytest.mark.parametrize("crossfade", list(Crossfade))
def test_no_joint_clicks(crossfade: Crossfade):
    """On smooth sound the second difference of the samples stays what the sound itself has."""
    sounds = [pad(seed, 30.0) for seed in range(3)]
    tracks = [analysis(30.0, bpm, first) for bpm, first in ((120, 0.25), (122, 0.31), (125, 0.1))]
    plan = plan_mix(tracks, MixOptions(Order.SENT, crossfade, 12.0))

    mix, _ = rendered(plan, sounds)

    itself = max(np.abs(np.diff(y[0], 2)).max() / np.abs(y).max() for y in sounds)
    roughness = np.abs(np.diff(np.pad(mix[0], 2), 2)) / np.abs(mix).max()
    assert roughness.max() < 2.0 * itself


@pytest.mark.parametrize("bpm", [120, None])
def test_two_steady_noises_keep_their_level_through_the_fade(bpm: float | None):
    rng = np.random.default_rng(0)
    sounds = [(0.1 * rng.standard_normal((2, 40 * SR))).astype(np.float32) for _ in range(2)]
    options = MixOptions(Order.SENT, Crossfade.BEATS, 24.0)

    mix, _ = rendered(plan_mix([analysis(40.0, bpm), analysis(40.0, bpm)], options), sounds)

    level = 10 * np.log10((mix[:, SR : -2 * SR].reshape(2, -1, SR // 2) ** 2).mean(axis=(0, 2)))
    assert np.ptp(level) < 0.5


def test_length_is_what_the_plan_says():
    lengths = (30.0, 5.0, 0.84, 10.009)
    sounds = [pad(i, seconds) for i, seconds in enumerate(lengths)]
    for crossfade in Crossfade:
        plan = plan_mix([analysis(s) for s in lengths], MixOptions(Order.SENT, crossfade, 12.0))

        mix, _ = rendered(plan, sounds)

        assert mix.shape[1] / SR == pytest.approx(plan.total_s, abs=0.02)
        heard = [min(12.0, seconds) for seconds in lengths]
        fades = sum(t.duration_s - min(t.duration_s, 0.0) for t in plan.transitions)
        assert plan.total_s >= sum(heard) - fades - 0.02


@pytest.mark.parametrize("crossfade", list(Crossfade))
@pytest.mark.parametrize(
    "lengths_s", [(5.017, 0.838, 10.009), (2.0, 30.0), (30.0, 2.0), (0.099, 5.0), (10.0007, 10.0007)], ids=str
)
def test_clips_shorter_than_a_fade_lose_no_more_than_what_is_faded(
    lengths_s: tuple[float, ...], crossfade: Crossfade
):
    plan = plan_mix([analysis(s) for s in lengths_s], MixOptions(Order.SENT, crossfade, 30.0))

    mix, _ = rendered(plan, [pad(n, seconds) for n, seconds in enumerate(lengths_s)])

    fades_s = sum(t.duration_s for t in plan.transitions)
    assert (fades_s == 0.0) is (crossfade is Crossfade.OFF)
    assert mix.shape[1] / SR == pytest.approx(sum(lengths_s) - fades_s, abs=0.02)
    blocks = mix[:, : mix.shape[1] // 4800 * 4800].reshape(2, -1, 4800)
    assert (blocks**2).mean(axis=(0, 2)).min() > 1e-4, "a hole in the mix"


@pytest.mark.parametrize("lengths_s", [(2.0, 30.0), (0.099, 5.0)], ids=str)
def test_the_file_of_short_clips_holds_them(lengths_s: tuple[float, ...], write, tmp_path):
    files = [write(f"{n}.flac", pad(n, seconds), SR) for n, seconds in enumerate(lengths_s)]
    plan = plan_mix([analysis(s) for s in lengths_s], MixOptions(Order.SENT, length_s=30.0))

    result = render_mix(plan, files, tmp_path / "m.mp3", title="T", performer="P")

    assert result.duration_s == pytest.approx(plan.total_s, abs=0.02)
    # An MP3's first and last frame have room beside the sound.
    assert decode_span(result.path, 0.0, 100.0).duration_s == pytest.approx(plan.total_s, abs=0.05)


def test_quiet_and_loud_neighbours_are_matched(two_files, tmp_path):
    result = render_mix(two_plans(), two_files, tmp_path / "mix.mp3", title="T", performer="P")
    mix = decode_span(result.path, 0.0, 60.0)

    first, second = (
        measure_lufs(Waveform(mix.samples[:, round(a * SR) : round(b * SR)], SR))
        for a, b in ((1, 7), (15, 21))
    )
    assert abs(first - second) < 1.0
    assert result.lufs == pytest.approx(-14.0, abs=1.0)
    assert measure_lufs(mix) == pytest.approx(result.lufs, abs=0.3)
    assert measure_dbtp(mix) <= -1.0


def test_extremes_of_level_neither_clip_nor_blow_up(write, tmp_path):
    """A clip at -80 dBFS, a usual one, and one 12 dB over full scale."""
    files = [
        write("faint.wav", 1e-4 * drums(120, 20.0), SR, codec="pcm_f32le"),
        write("usual.flac", drums(120, 20.0), SR),
        write("hot.wav", 8.0 * drums(120, 20.0), SR, codec="pcm_f32le"),
    ]
    plan = plan_mix([analysis(20.0)] * 3, MixOptions(Order.SENT, Crossfade.PLAIN, 10.0))

    mix = decode_span(render_mix(plan, files, tmp_path / "m.mp3", title="T", performer="P").path, 0.0, 60.0)

    usual, hot = (
        measure_lufs(Waveform(mix.samples[:, round(a * SR) : round(b * SR)], SR))
        for a, b in ((12, 17), (22, 27))
    )
    assert measure_dbtp(mix) <= -1.0
    assert abs(usual - hot) < 2.0
    assert np.abs(mix.samples[:, : 7 * SR]).max() < 0.01  # a whisper is not blown up to music


def test_it_ends_on_audible_sound():
    silent_tail = np.concatenate((drums(120, 8.0), np.zeros((2, 22 * SR), np.float32)), axis=1)
    plan = plan_mix([analysis(30.0), analysis(30.0)], AS_SENT, [None, Window(2.0, 14.0)])

    mix, _ = rendered(plan, [drums(120, 30.0), silent_tail])

    assert np.sqrt(np.mean(mix[:, -SR : -SR // 2] ** 2)) > 0.01
    assert mix.shape[1] / SR < plan.total_s - 5.0


def test_the_file_is_tagged_and_has_a_cover(two_files, tmp_path):
    result = render_mix(
        two_plans(), two_files, tmp_path / "mix.mp3", title="Вечер", performer="Audio Highlight", album="A"
    )

    with av.open(result.path) as container:
        tags = {name.lower(): value for name, value in container.metadata.items()}
        assert (tags["title"], tags["artist"]) == ("Вечер", "Audio Highlight")
        assert [stream.type for stream in container.streams] == ["audio", "video"]
        assert container.streams.audio[0].codec_context.layout.name == "stereo"
        assert container.streams.audio[0].rate == SR
        picture = next(container.decode(video=0))
        assert (picture.width, picture.height) == (640, 640)
    assert Path(result.path).stat().st_size == result.size_bytes


def test_progress_goes_from_nothing_to_everything(two_files, tmp_path):
    seen: list[tuple[float, float]] = []

    render_mix(
        two_plans(),
        two_files,
        tmp_path / "mix.mp3",
        title="T",
        performer="P",
        on_progress=lambda done_s, total_s: seen.append((done_s, total_s)),
    )

    done = [done_s for done_s, _ in seen]
    assert done == sorted(done)
    assert done[0] < 2.0
    assert done[-1] == pytest.approx(seen[-1][1], abs=1.5)


def test_preview_sounds_like_the_transition(two_files, tmp_path):
    plan = two_plans()

    result = render_transition_preview(plan, 0, two_files, tmp_path / "p.mp3", title="T", performer="P")

    assert result.duration_s == pytest.approx(plan.transitions[0].duration_s + 16.0, abs=1.0)


def test_a_track_that_cannot_be_decoded_is_named(two_files, tmp_path):
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"not a song at all" * 100)

    with pytest.raises(MixTrackRejected) as caught:
        render_mix(two_plans(), [two_files[0], broken], tmp_path / "m.mp3", title="T", performer="P")

    assert not (tmp_path / "m.mp3").exists()
    assert caught.value.track == 1
    assert caught.value.code is Rejection.NOT_AUDIO
    assert pickle.loads(pickle.dumps(caught.value)).args == (1, Rejection.NOT_AUDIO, caught.value.detail)


def test_one_track_is_a_mix_too(two_files, tmp_path):
    plan = plan_mix([analysis(30.0, 120)], AS_SENT)

    result = render_mix(plan, two_files, tmp_path / "m.mp3", title="T", performer="P")

    assert result.duration_s == pytest.approx(12.0, abs=0.05)


@pytest.mark.parametrize("duration_s", [30.0, 1500.0, 3000.0, 6000.0])
def test_bit_rate_is_the_best_that_fits(duration_s: float):
    bit_rate = bit_rate_for(duration_s)

    assert duration_s * bit_rate / 8 <= MAX_BYTES < 50_000_000
    better = [rate for rate in BIT_RATES if rate > bit_rate]
    assert not better or duration_s * min(better) / 8 > MAX_BYTES


def test_a_mix_of_many_hours_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        bit_rate_for(8 * 3600.0)


MEMORY_SCRIPT = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from inference.datatypes import InterestCurve, Rhythm, TrackAnalysis
from inference.mixing.plan import MixOptions, plan_mix
from inference.mixing.render import render_mix
curve = InterestCurve(np.ones(21, np.float32), 1.0)
track = TrackAnalysis(20.0, curve, Rhythm(None), None, None, 0.9, "test")
n = int(sys.argv[4])
plan = plan_mix([track] * n, MixOptions(length_s=8.0))
render_mix(plan, [sys.argv[2]] * n, sys.argv[3], title="T", performer="P")
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_tracks(write, tmp_path):
    song = write("song.flac", drums(120, 20.0), SR)
    root = Path(__file__).resolve().parents[2]

    def peak_mb(n_tracks: int) -> float:
        command = [sys.executable, "-c", MEMORY_SCRIPT, root, song, tmp_path / "m.mp3", n_tracks]
        done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
        return float(done.stdout)

    few, many = peak_mb(2), peak_mb(18)  # 16 segments of 8 s and their margins are 55 MB
    assert many - few < 30.0
    assert many < 400.0


@pytest.mark.slow
def test_real_songs_meet_in_bars_at_an_even_level(gold_audio, tmp_path):
    names = ("014", "033", "028")
    paths = [next(gold_audio.glob(f"{name}_*")) for name in names]
    plan = plan_mix([analyse_track(path) for path in paths], MixOptions(length_s=20.0))

    result = render_mix(plan, [str(path) for path in paths], tmp_path / "m.mp3", title="T", performer="P")
    mix = decode_span(result.path, 0.0, 600.0)

    assert sum(t.joint is Joint.BEATS for t in plan.transitions) == 2
    assert measure_lufs(mix) == pytest.approx(-14.0, abs=1.0)
    assert measure_dbtp(mix) <= -1.0
    middles_s = [t.start_s + t.duration_s / 2 for t in plan.transitions]
    for middle_s in middles_s:
        around = mix.samples[:, round((middle_s - 1.5) * SR) : round((middle_s + 1.5) * SR)]
        assert measure_lufs(Waveform(around, SR)) > -18.0


@pytest.mark.slow
def test_clips_of_all_sizes_and_rates(shared_cases, tmp_path):
    """5.0 s at 44.1 kHz, 0.84 s at 22.05 kHz, 10.0 s at 32 kHz: the fade is longer than one of them."""
    files = [next(shared_cases.glob(f"{name}_*")) for name in ("f66", "f12", "f65")]
    lengths = (5.017, 0.838, 10.009)
    plan = plan_mix([analysis(s) for s in lengths], MixOptions(Order.SENT, Crossfade.BEATS, 30.0))

    result = render_mix(plan, files, tmp_path / "m.mp3", title="T", performer="P")

    fades_s = sum(t.duration_s for t in plan.transitions)
    heard_s = sum(s.leave_s - s.enter_s for s in plan.segments)
    assert plan.total_s == pytest.approx(heard_s - fades_s, abs=0.001)
    assert result.duration_s == pytest.approx(plan.total_s, abs=0.3)
    assert result.duration_s > 10.0
