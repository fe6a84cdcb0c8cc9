"""A POP909 score as a band might play it: random instruments, drums, bass and pads, a level for each section.

Loudness must not give the chorus away, so choruses are fuller in some arrangements, equal in others, quieter
in the rest. Electronic arrangements build up (drums drop out, a roll and a riser) and drop into the chorus.
"""

from dataclasses import dataclass
from enum import StrEnum

import mido
import numpy as np
import numpy.typing as npt

from training.pop909 import Phrase, Score

TICKS_PER_S = 960  # 480 a beat at 120 BPM: the file's own beat means nothing, notes are placed in seconds
DRUM_CHANNEL = 9
LEADS = (52, 53, 54, 85, 91, 80, 81, 73, 65, 66, 56, 40, 22, 26, 11, 68, 71, 0)
KEYS = (0, 0, 1, 4, 5, 6, 24, 25, 27, 11, 46, 88, 89, 90, 48, 50)
FILLS = (48, 25, 27, 40, 61, 73, 11, 16, 81)
BASSES = (32, 33, 34, 35, 38, 39)
PADS = (48, 49, 50, 88, 89, 90, 91, 94, 95, 16, 18)
KITS = {"band": (0, 8, 16), "ballad": (0, 32, 40), "electronic": (24, 25)}
KICK, SNARE, CLAP, HAT, OPEN_HAT, CRASH = 36, 38, 39, 42, 46, 49
REVERSE_CYMBAL = 119


class Emphasis(StrEnum):
    """How the chorus stands to the rest."""

    FULLER = "fuller"
    EQUAL = "equal"
    QUIETER = "quieter"


@dataclass(frozen=True)
class Style:
    """The choices that make one arrangement; `levels`: 0..1 for each phrase letter."""

    kind: str
    emphasis: Emphasis
    levels: dict[str, float]
    transpose: int
    build_up: bool
    drums_from: float
    bass_from: float
    pad_from: float


class _Band:
    """Collects notes in seconds by channel."""

    def __init__(self, beat_times_s: npt.NDArray[np.float64]) -> None:
        self._beat_times_s = beat_times_s
        self._events: list[tuple[float, int, mido.Message]] = []

    def time(self, beat: float) -> float:
        return float(np.interp(beat, np.arange(len(self._beat_times_s)), self._beat_times_s))

    def program(self, channel: int, program: int) -> None:
        self._events.append((0.0, 0, mido.Message("program_change", channel=channel, program=program)))

    def note(self, channel: int, start: float, end: float, pitch: int, velocity: float) -> None:
        if not 0 <= pitch <= 127 or velocity < 4 or start < 0:
            return
        loud = int(min(127, velocity))
        at_s, end_s = self.time(start), self.time(max(end, start + 0.05))
        self._events.append((at_s, 2, mido.Message("note_on", channel=channel, note=pitch, velocity=loud)))
        self._events.append((end_s, 1, mido.Message("note_off", channel=channel, note=pitch)))

    def file(self) -> mido.MidiFile:
        midi = mido.MidiFile(ticks_per_beat=480)
        track = mido.MidiTrack()
        midi.tracks.append(track)
        last = 0
        for at_s, _, message in sorted(self._events, key=lambda event: event[:2]):
            tick = round(at_s * TICKS_PER_S)
            track.append(message.copy(time=tick - last))
            last = tick
        return midi


def random_style(score: Score, rng: np.random.Generator) -> Style:
    """Choices for one arrangement of `score`."""
    kind = str(rng.choice(["band", "ballad", "electronic"], p=[0.45, 0.25, 0.3]))
    emphasis = Emphasis(str(rng.choice(list(Emphasis), p=[0.4, 0.3, 0.3])))
    plain = float(rng.uniform(0.75, 0.95))
    levels = {}
    for letter in sorted({p.letter.upper() for p in score.phrases}):
        is_chorus = letter == score.chorus
        if emphasis is Emphasis.EQUAL:
            levels[letter] = plain + float(rng.uniform(-0.06, 0.06))
        elif emphasis is Emphasis.FULLER:
            levels[letter] = 1.0 if is_chorus else float(rng.uniform(0.45, 0.85))
        else:
            levels[letter] = float(rng.uniform(0.45, 0.7)) if is_chorus else float(rng.uniform(0.75, 1.0))
    return Style(
        kind=kind,
        emphasis=emphasis,
        levels=levels,
        transpose=int(rng.integers(-4, 5)),
        build_up=kind == "electronic" and emphasis is Emphasis.FULLER,
        drums_from=float(rng.uniform(0.3, 0.8)) if kind != "ballad" else float(rng.uniform(0.6, 1.1)),
        bass_from=float(rng.uniform(0.2, 0.7)),
        pad_from=float(rng.uniform(0.4, 1.1)),
    )


def arrange(score: Score, style: Style, rng: np.random.Generator) -> mido.MidiFile:
    """The arrangement as MIDI, notes at the score's own times."""
    band = _Band(score.beat_times_s)
    for channel, programs in enumerate((LEADS, FILLS, KEYS, BASSES, PADS)):
        band.program(channel, int(rng.choice(programs)))
    band.program(5, REVERSE_CYMBAL)
    band.program(DRUM_CHANNEL, int(rng.choice(KITS[style.kind])))
    octave = int(rng.choice([-12, 0, 0, 0, 12]))
    gains = rng.uniform(0.75, 1.15, 5)
    with_fills = rng.random() < 0.8
    for channel, name in enumerate(("melody", "bridge", "piano")):
        if name == "bridge" and not with_fills:
            continue
        for start, end, pitch, velocity in score.tracks.get(name, []):
            level = _level(score, style, start)
            shift = style.transpose + (octave if name == "melody" else 0)
            band.note(channel, start, end, pitch + shift, velocity * (0.35 + 0.65 * level) * gains[channel])
    _accompany(band, score, style, gains, rng)
    for phrase, following in zip(score.phrases, [*score.phrases[1:], None], strict=True):
        level = style.levels.get(phrase.letter.upper(), 0.5)
        drops = style.build_up and following is not None and following.letter == score.chorus
        if level >= style.drums_from:
            _drum(band, score, style, phrase, level, drops and phrase.letter != score.chorus, rng)
    return band.file()


def _level(score: Score, style: Style, beat: float) -> float:
    for phrase in score.phrases:
        if phrase.start <= beat < phrase.end:
            return style.levels.get(phrase.letter.upper(), 0.5)
    return 0.5


def _accompany(
    band: _Band, score: Score, style: Style, gains: npt.NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Bass and pad from the chords."""
    step = float(rng.choice([0.5, 1.0, 2.0])) if style.kind != "ballad" else 2.0
    pump = style.kind == "electronic"
    for start, end, classes, bass in score.chords:
        level = _level(score, style, start)
        if level >= style.bass_from:
            pitch = 28 + (bass + style.transpose - 28) % 12
            for at in np.arange(start, end, step):
                until = min(end, at + step)
                # Off the beat under a pumping kick.
                late = 0.25 if pump and step <= 1 else 0.0
                band.note(3, at + late, until - 0.05, pitch, 95 * level * gains[3])
        if level >= style.pad_from:
            for c in classes:
                band.note(4, start, end - 0.05, 52 + (c + style.transpose - 52) % 12, 70 * level * gains[4])


def _drum(
    band: _Band,
    score: Score,
    style: Style,
    phrase: Phrase,
    level: float,
    drops: bool,
    rng: np.random.Generator,
) -> None:
    """Kick, snare and hats through one phrase; with `drops` the end of it builds up to the next."""
    beats_per_bar = score.beats_per_bar
    fast_hats = rng.random() < level
    build_from = phrase.end - 2 * beats_per_bar if drops else phrase.end
    for beat in np.arange(phrase.start, build_from):
        place = int(beat - phrase.start) % beats_per_bar
        loud = 100 * level
        if style.kind == "electronic" or place == 0 or (place == 2 and style.kind == "band"):
            band.note(DRUM_CHANNEL, beat, beat + 0.2, KICK, loud)
        if place % 2 == 1:
            band.note(
                DRUM_CHANNEL, beat, beat + 0.2, CLAP if style.kind == "electronic" else SNARE, 0.9 * loud
            )
        if style.kind == "electronic":
            band.note(DRUM_CHANNEL, beat + 0.5, beat + 0.7, OPEN_HAT, 0.7 * loud)
        for part in (0.0, 0.5) if not fast_hats else (0.0, 0.25, 0.5, 0.75):
            band.note(DRUM_CHANNEL, beat + part, beat + part + 0.1, HAT, 0.6 * loud)
    if rng.random() < 0.7:
        band.note(DRUM_CHANNEL, phrase.start, phrase.start + 1, CRASH, 90 * level)
    if drops:
        band.note(5, build_from, phrase.end, 60, 90)
        for at in np.arange(build_from, phrase.end, 0.25):
            grown = (at - build_from) / (phrase.end - build_from)
            band.note(DRUM_CHANNEL, at, at + 0.2, SNARE, 40 + 70 * grown)
