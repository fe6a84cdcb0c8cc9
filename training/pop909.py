"""POP909: 909 pop songs as MIDI with the phrase structure that people marked; renders have known choruses.

Wang et al., ISMIR 2020; structure by Dai, Zhang and Dannenberg, ISMIR 2020 (both MIT). Labels name repeated
phrases, not choruses: the chorus is inferred where four cues and both labellers agree; other songs are left
out.
"""

import io
import re
import tarfile
import xml.etree.ElementTree as ET
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
import numpy.typing as npt

ARCHIVE = Path("pop909") / "pop909.tar.gz"
LABELS = ("human_label1.txt", "human_label2.txt")
STEPS_PER_BEAT = 4
MIN_MATCH = 0.9  # of the melody's notes must fall on the label grid
MIN_CUES = 3
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

Note = tuple[float, float, int, int]  # start beat, end beat, MIDI pitch, velocity


@dataclass(frozen=True, eq=False)
class Phrase:
    """One labelled phrase, in beats of the MIDI file."""

    letter: str
    start: float
    end: float


@dataclass(frozen=True, eq=False)
class Score:
    """A song on a beat grid. `tracks`: melody, bridge, piano; `chords`: start, end, pitch classes, bass.

    `beat_times_s`: seconds of whole beats 0, 1, ... after the tempo map.
    """

    song_id: str
    title: str
    artist: str
    beats_per_bar: int
    tracks: dict[str, list[Note]]
    phrases: list[Phrase]
    chorus: str
    chords: list[tuple[float, float, tuple[int, ...], int]]
    beat_times_s: npt.NDArray[np.float64]


def load_scores(data: Path) -> list[Score]:
    """Songs whose labels can be placed in time and whose chorus is beyond doubt."""
    members, index = _archive(data)
    names = _names(index)
    scores = []
    for song_id, files in members.items():
        score = _score(song_id, files, *names.get(song_id, (song_id, song_id)))
        if score is not None:
            scores.append(score)
    return scores


def chorus_masks(data: Path) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Both labellers' chorus in beats, 1 inside, of songs where each of them names one: (n_beats,) each."""
    masks = []
    for files in _archive(data)[0].values():
        beats_per_bar = _beats_per_bar(files["beat_midi.txt"].decode("utf-8", "replace"))
        notes = _sung(_melody(files))
        found = []
        for name in LABELS:
            labels = parse_labels(files[name].decode("utf-8", "replace"))
            phrases = _phrases(labels, 0.0, beats_per_bar)
            chorus = chorus_of(labels, _heights(phrases, notes))
            if chorus is not None and chorus[1] >= MIN_CUES:
                found.append((phrases, chorus[0]))
        if len(found) == len(LABELS):
            first, second = _chorus_masks(*found[0], *found[1])
            masks.append((first.astype(np.float32), second.astype(np.float32)))
    return masks


def _archive(data: Path) -> tuple[dict[str, dict[str, bytes]], bytes]:
    """Song number -> its files, in order; and the index of titles."""
    members: dict[str, dict[str, bytes]] = defaultdict(dict)
    index = b""
    with tarfile.open(data / ARCHIVE) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is None:
                continue
            parts = member.name.split("/")
            if parts[-1] == "index.xlsx":
                index = stream.read()
            elif len(parts) > 1 and re.fullmatch(r"\d{3}", parts[-2]):
                members[parts[-2]][parts[-1]] = stream.read()
    return dict(sorted(members.items())), index


def parse_labels(text: str) -> list[tuple[str, int]]:
    """`i4A4B8` -> [("i", 4), ("A", 4), ("B", 8)]: phrase letter and number of bars."""
    return [(letter, int(bars)) for letter, bars in re.findall(r"([A-Za-z])(\d+)", text)]


def chorus_of(labels: list[tuple[str, int]], height: dict[str, float]) -> tuple[str, int] | None:
    """The letter most likely to be the chorus, and how many of four cues name it.

    Cues among letters sung at least twice: most bars, highest melody, introduced last, most bars in the last
    third.
    """
    bars: dict[str, int] = defaultdict(int)
    count: dict[str, int] = defaultdict(int)
    late: dict[str, float] = defaultdict(float)
    first: dict[str, int] = {}
    total, at = sum(n for _, n in labels), 0
    for letter, n in labels:
        if letter.isupper():
            bars[letter] += n
            count[letter] += 1
            late[letter] += max(0.0, min(n, at + n - total * 2 / 3))
            first.setdefault(letter, at)
        at += n
    repeated = [letter for letter in bars if count[letter] >= 2]
    if len(repeated) < 2:
        return None
    votes: dict[str, int] = defaultdict(int)
    for cue in (bars, height, first, late):
        votes[max(repeated, key=lambda letter: (cue.get(letter, 0), letter))] += 1
    winner = max(votes, key=lambda letter: (votes[letter], letter))
    return winner, votes[winner]


def grid_offset(melody: list[tuple[int, int]], notes: list[Note]) -> tuple[int, float]:
    """Steps from the labels' first bar to the MIDI file's beat 0, and the share of notes that then agree."""
    placed, at = [], 0
    for pitch, steps in melody:
        if pitch > 0:
            placed.append((at, pitch))
        at += steps
    played: dict[int, set[int]] = defaultdict(set)
    for start, _, pitch, _ in notes:
        played[pitch].add(round(start * STEPS_PER_BEAT))
    hits: dict[int, int] = defaultdict(int)
    for step, pitch in placed:
        for other in played[pitch]:
            hits[other - step] += 1
    if not hits or not placed:
        return 0, 0.0
    offset = max(hits, key=lambda k: (hits[k], -abs(k)))
    # A note a sixteenth off is the same note quantised otherwise.
    near = sum(any(step + offset + d in played[pitch] for d in (-1, 0, 1)) for step, pitch in placed)
    return offset, near / len(placed)


def _score(song_id: str, files: dict[str, bytes], title: str, artist: str) -> Score | None:
    text = {
        name: content.decode("utf-8", "replace") for name, content in files.items() if name.endswith(".txt")
    }
    midi = mido.MidiFile(file=io.BytesIO(files[f"{song_id}.mid"]))
    tracks = {track.name: _notes(track, midi.ticks_per_beat) for track in midi.tracks if track.name}
    if not {"MELODY", "PIANO"} <= tracks.keys() or not tracks["MELODY"]:
        return None
    offset, share = grid_offset(_melody(files), tracks["MELODY"])
    if share < MIN_MATCH:
        return None
    beats_per_bar = _beats_per_bar(text["beat_midi.txt"])
    start = offset / STEPS_PER_BEAT
    found = []
    for name in LABELS:
        labels = parse_labels(text[name])
        phrases = _phrases(labels, start, beats_per_bar)
        chorus = chorus_of(labels, _heights(phrases, tracks["MELODY"]))
        if chorus is None or chorus[1] < MIN_CUES:
            return None
        found.append((phrases, chorus[0]))
    (phrases, letter), (others, other) = found
    if not _agree(phrases, letter, others, other):
        return None
    end = max(p.end for p in phrases) + 8
    return Score(
        song_id=f"pop909-{song_id}",
        title=title,
        artist=artist,
        beats_per_bar=beats_per_bar,
        tracks={name.lower(): notes for name, notes in tracks.items()},
        phrases=phrases,
        chorus=letter,
        chords=_chords(text["finalized_chord.txt"], start),
        beat_times_s=_beat_times(midi, int(end) + 8),
    )


def _agree(a: list[Phrase], a_letter: str, b: list[Phrase], b_letter: str) -> bool:
    """Whether two labellers' choruses cover the same beats for the most part."""
    first, second = _chorus_masks(a, a_letter, b, b_letter)
    both, either = (first & second).sum(), (first | second).sum()
    return bool(either and both / either > 0.7)


def _chorus_masks(
    a: list[Phrase], a_letter: str, b: list[Phrase], b_letter: str
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    n = int(max(p.end for p in a + b)) + 1
    masks = np.zeros((2, max(n, 1)), bool)
    for mask, phrases, letter in zip(masks, (a, b), (a_letter, b_letter), strict=True):
        for p in phrases:
            if p.letter == letter:
                mask[max(0, int(p.start)) : max(0, int(p.end))] = True
    return masks[0], masks[1]


def _melody(files: dict[str, bytes]) -> list[tuple[int, int]]:
    """MIDI pitch (0: rest) and length in steps of each note, from the labels' first bar on."""
    lines = files["melody.txt"].decode("utf-8", "replace").splitlines()
    return [(int(pitch), int(steps)) for pitch, steps in (line.split() for line in lines if line.strip())]


def _sung(melody: list[tuple[int, int]]) -> list[Note]:
    notes, at = [], 0
    for pitch, steps in melody:
        if pitch > 0:
            notes.append((at / STEPS_PER_BEAT, (at + steps) / STEPS_PER_BEAT, pitch, 0))
        at += steps
    return notes


def _phrases(labels: list[tuple[str, int]], start: float, beats_per_bar: int) -> list[Phrase]:
    out = []
    for letter, bars in labels:
        end = start + bars * beats_per_bar
        out.append(Phrase(letter, start, end))
        start = end
    return out


def _heights(phrases: list[Phrase], notes: list[Note]) -> dict[str, float]:
    """Mean melody pitch of each letter, weighted by duration."""
    total: dict[str, float] = defaultdict(float)
    length: dict[str, float] = defaultdict(float)
    for p in phrases:
        for start, end, pitch, _ in notes:
            if p.start <= start < p.end:
                total[p.letter] += pitch * (end - start)
                length[p.letter] += end - start
    return {letter: total[letter] / length[letter] for letter in total if length[letter] > 0}


def _notes(track: mido.MidiTrack, ticks_per_beat: int) -> list[Note]:
    out: list[Note] = []
    sounding: dict[int, tuple[int, int]] = {}
    tick = 0
    for message in track:
        tick += message.time
        if message.type == "note_on" and message.velocity > 0:
            sounding[message.note] = (tick, message.velocity)
        elif message.type in ("note_on", "note_off") and message.note in sounding:
            start, velocity = sounding.pop(message.note)
            out.append((start / ticks_per_beat, tick / ticks_per_beat, message.note, velocity))
    return sorted(out)


def _beats_per_bar(beat_midi: str) -> int:
    """Three where most downbeats of the beat file are three apart, else four."""
    rows = [line.split() for line in beat_midi.splitlines() if line.strip()]
    downs = [i for i, row in enumerate(rows) if float(row[2]) == 1.0]
    gaps = np.diff(downs)
    return 3 if len(gaps) and np.median(gaps) == 3 else 4


def _chords(text: str, start: float) -> list[tuple[float, float, tuple[int, ...], int]]:
    out = []
    for line in text.splitlines():
        match = re.match(r"\S+ \[([\d, ]*)\] (-?\d+) (\d+)", line)
        if match is None:
            continue
        classes = tuple(int(c) for c in match[1].split(",") if c.strip())
        end = start + int(match[3])
        if classes:
            out.append((start, end, classes, int(match[2]) % 12))
        start = end
    return out


def _beat_times(midi: mido.MidiFile, n_beats: int) -> npt.NDArray[np.float64]:
    """Seconds of beats 0 .. n_beats - 1 after the file's tempo map."""
    changes = []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                changes.append((tick / midi.ticks_per_beat, message.tempo / 1e6))
    changes = sorted(changes) or [(0.0, 0.5)]
    edges = np.array([0.0] + [beat for beat, _ in changes[1:]])
    lengths = np.array([length for _, length in changes])
    at_edge = np.concatenate([[0.0], np.cumsum(np.diff(edges) * lengths[:-1])])
    beats = np.arange(n_beats)
    k = np.searchsorted(edges, beats, side="right") - 1
    return np.asarray(at_edge[k] + (beats - edges[k]) * lengths[k])


def _names(index: bytes) -> dict[str, tuple[str, str]]:
    """Song number -> title and artist, from the archive's spreadsheet."""
    with zipfile.ZipFile(io.BytesIO(index)) as book:
        rows = ET.fromstring(book.read("xl/worksheets/sheet1.xml")).iter(f"{SHEET}row")
        table = [
            {
                re.sub(r"\d", "", cell.get("r", "")): "".join(t.text or "" for t in cell.iter(f"{SHEET}t"))
                for cell in row.iter(f"{SHEET}c")
            }
            for row in rows
        ]
    header = {name.strip().lower(): column for column, name in table[0].items()}
    out = {}
    for cells in table[1:]:
        number = cells.get(header["song_id"], "")
        if number:
            song_id = f"{int(float(number)):03d}"
            title, artist = (cells.get(header.get(column, ""), song_id) for column in ("name", "artist"))
            out[song_id] = title, artist
    return out
