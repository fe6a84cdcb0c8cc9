"""A final look at labelled real songs that nothing was trained or tuned on (README.md counts the looks)."""

import csv
from pathlib import Path

import torch

from inference.config import FeatureConfig
from inference.decode import decode_mono
from inference.features import extract_features
from training.baselines import loudness_curve, pychorus_start, thumbnail_start
from training.evaluate import Row, curve_of, markdown, scored, scored_start, trimmed_song
from training.graph import InterestGraph
from training.songs import Song, interest_of_spans

START_ONLY_S = 20.0  # a label that names only a start, as the scorer reads it


def load_gold(folder: Path) -> list[Song]:
    """Songs of `labels.csv` with features of their audio."""
    songs = []
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            features = extract_features(decode_mono(folder / row["file"], FeatureConfig().sr))
            spans = []
            for part in row["all_intervals"].split(";"):
                start, end = part.split("-")
                spans.append((float(start), float(end) if end else float(start) + START_ONLY_S))
            songs.append(
                Song(
                    song_id=f"gold-{row['id']}",
                    source=row["label_origin"],
                    title=row["title"],
                    artist=row["artist"],
                    hop_s=features.hop_s,
                    chroma=features.chroma,
                    interest=interest_of_spans(spans, len(features.chroma), features.hop_s),
                    spans=tuple(spans),
                    mel=features.mel,
                    loudness_db=features.loudness_db,
                )
            )
    return songs


def look(folder: Path, graph: InterestGraph) -> str:
    """Tables of the shipped ensemble and the baselines, by kind of label."""
    torch.set_num_threads(1)
    songs = [trimmed_song(song) for song in load_gold(folder)]
    out = []
    for title, some in (
        ("all", songs),
        ("derived chorus", [s for s in songs if s.source.startswith("derived")]),
        ("human previews", [s for s in songs if s.source.startswith("human")]),
    ):
        rows = [
            Row("model (all experts)", [scored(s, curve_of(graph, s)) for s in some]),
            Row("loudest window", [scored(s, c) for s in some if (c := loudness_curve(s)) is not None]),
            Row("pychorus", [scored_start(s, pychorus_start(s)) for s in some]),
            Row("libfmp", [scored_start(s, thumbnail_start(s)) for s in some]),
            Row("start at 30 s", [scored_start(s, 30.0) for s in some]),
            Row("start at 40 %", [scored_start(s, 0.4 * s.duration_s) for s in some]),
        ]
        out.append(f"\n### Real songs, {title}: {len(some)}\n\n{markdown(rows)}")
    return "\n".join(out)
