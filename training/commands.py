"""The steps behind `python -m training`, on one data folder and one working folder."""

import hashlib
import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from tqdm import tqdm

from training import ablation, ceiling, evaluate, gold, match
from training.billboard import load_billboard
from training.calibration import expected_error, fit_logistic, predict
from training.export import export, revision
from training.folds import REPETITION, SPECTRAL, Recipe, fold_graph, load_nets, train_kind
from training.graph import InterestGraph
from training.listeners import load_listeners, read_labels
from training.pop909 import Score, load_scores
from training.render import rendered
from training.songs import Song
from training.unclear import load_unclear

log = logging.getLogger(__name__)
UNCLEAR_TAKES = 12
CHOICE_SEED = 1
MATCHED_SONGS = 60
MAX_FAILED_RENDERS = 0.05
In = TypeVar("In")
Out = TypeVar("Out")
Calibration = tuple[evaluate.FloatMatrix, evaluate.FloatMatrix, evaluate.FloatMatrix, list[Song]]


@dataclass
class Workshop:
    """`data`: folder with billboard/ and pop909/; `work`: where features and nets are kept between runs."""

    data: Path
    work: Path
    listeners: Path | None = None
    rendered_songs: int = 262
    renders: int = 1
    workers: int | None = None
    recipe: Recipe = field(default_factory=Recipe)
    _calibration: Calibration | None = None

    def __post_init__(self) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(parents=True, exist_ok=True)

    @property
    def cache(self) -> Path:
        return self.work / "features"

    @property
    def run(self) -> Path:
        return self.work / "nets"

    @cached_property
    def labelled(self) -> list[Song]:
        """Songs with people's labels: Billboard, and listeners' where given."""
        return load_billboard(self.data) + (load_listeners(self.listeners) if self.listeners else [])

    @cached_property
    def rendered(self) -> list[Song]:
        """Renders that are in the cache, and listeners' songs, which have a mel too."""
        songs = [
            rendered(score, take, self.cache)
            for take in range(self.renders)
            for score in self._scores
            if (self.cache / f"{score.song_id}-{take}.npz").exists()
        ]
        songs.sort(key=lambda song: song.song_id)
        return songs + [song for song in self.labelled if song.mel is not None]

    @cached_property
    def unclear(self) -> list[Song]:
        """Sounds without a highlight."""
        return load_unclear(self.cache, UNCLEAR_TAKES)

    @cached_property
    def judged(self) -> dict[str, evaluate.Judged]:
        """Every song as networks judge it that never saw its artist."""
        songs = [*self.labelled, *self.rendered, *self.unclear]
        jobs = [(fold, [song for song in songs if song.fold == fold]) for fold in self.recipe.folds]
        parts = self._map(partial(_judge, recipe=self.recipe, run=self.run), jobs, "judging")
        return {song_id: judged for part in parts for song_id, judged in part.items()}

    @cached_property
    def _scores(self) -> list[Score]:
        """A fixed random choice of the usable scores."""
        scores = load_scores(self.data)
        chosen = np.random.default_rng(CHOICE_SEED).permutation(len(scores))[: self.rendered_songs]
        return [scores[i] for i in chosen]

    def prepare(self) -> None:
        """Render what is missing, and make the sounds without a highlight."""
        jobs = [(score, take) for take in range(self.renders) for score in self._scores]
        failed = sum(self._map(partial(_render, cache=self.cache), jobs, "rendering"))
        if failed > MAX_FAILED_RENDERS * len(jobs):
            raise RuntimeError(f"{failed} of {len(jobs)} renders failed; is FluidSynth installed?")
        log.info("%d sounds without a highlight", len(self.unclear))

    def train(self) -> None:
        """The networks of all folds; both kinds at once where there are two workers."""
        jobs = [(REPETITION, self.labelled), (SPECTRAL, self.rendered)]
        self._map(partial(_train, recipe=self.recipe, run=self.run), jobs, "kinds of networks")

    def evaluate(self, slow_songs: int, gold_folder: Path | None) -> None:
        """Print the tables of README.md; with `gold_folder` also the final look at songs never trained on."""
        report: dict[str, object] = {"revision": revision(), "data_sha256": self.data_sha256()}
        for name, songs in (("Billboard", self.labelled), ("POP909 renders", self.rendered)):
            rows = evaluate.compare(songs, self.judged, self.recipe, slow_songs)
            print(f"\n### {name}: {len(songs)} songs, each judged by networks that never saw its artist\n")
            print(evaluate.markdown(rows), flush=True)
            report[name] = evaluate.as_json(rows)
        print("\n### How far structure alone leads\n")
        told = ceiling.told_the_structure(self.data, load_billboard(self.data))
        print(evaluate.markdown([told, ceiling.other_labeller(self.data)]))
        print("\n### The chroma that the product computes, and the chroma that was learnt from\n")
        renders = [song for song in self.rendered if song.source == "pop909"][:MATCHED_SONGS]
        print(match.against_notes(self._scores, renders) + "\n")
        print(match.shapes({"Billboard": self.labelled[:MATCHED_SONGS], "renders": renders}))
        beta, facts, hits, _ = self.calibrate()
        print("\n### Confidence, songs of all sources never seen\n")
        print(evaluate.calibration_table(beta, facts, hits))
        print(
            f"\nexpected calibration error {expected_error(predict(beta, facts).tolist(), hits.tolist()):.3f}"
        )
        if gold_folder is not None:
            print(gold.look(gold_folder, self.shipping_graph()))
        (self.work / "evaluation.json").write_text(json.dumps(report), encoding="utf-8")

    def ablate(self) -> None:
        """Train and score every variant on one split; hours in a table."""
        print(ablation.table(self.labelled, self.rendered, self.run / "ablation"))

    def export(self, out: Path, version: str) -> None:
        """Write the ensemble of all folds, its confidence calibrated, to `out`."""
        origin = {
            "data_sha256": self.data_sha256(),
            "revision": revision(),
            "trained_on": f"{len(self.labelled)} labelled songs, {len(self.rendered)} renders",
            "recipe": repr(self.recipe),
        }
        export(self.shipping_graph(), out, version, origin)
        print(f"{out}: sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")

    def shipping_graph(self) -> InterestGraph:
        """All folds' networks together."""
        beta, _, _, _ = self.calibrate()
        repetition, spectral = load_nets(self.run, self.recipe, self.recipe.folds)
        return InterestGraph(repetition, spectral, self.recipe.fusion, beta.tolist()).eval()

    def calibrate(self) -> Calibration:
        """Weights of the confidence, and the facts and hits that gave them, song by song."""
        if self._calibration is None:
            self._calibration = self._calibrate()
        return self._calibration

    def _calibrate(self) -> Calibration:
        songs = [*self.labelled, *(s for s in self.rendered if s.source == "pop909"), *self.unclear]
        facts, hits = [], []
        for song in songs:
            judged = self.judged[song.song_id]
            curve = judged.curve(self.recipe.fusion)
            facts.append(judged.facts.astype(np.float64))
            hits.append(evaluate.scored(song, curve).hit if song.spans else 0.0)
        counts = {source: sum(s.source == source for s in songs) for source in {s.source for s in songs}}
        # Renders are easier than records, and sounds without a highlight come in any number.
        share = {"billboard": 1.0, "listeners": 1.0, "pop909": 0.3, "unclear": 0.5}
        weights = np.array([share[s.source] * len(self.labelled) / counts[s.source] for s in songs])
        x, y = np.array(facts), np.array(hits)
        return fit_logistic(x, y, weights), x, y, songs

    def data_sha256(self) -> str:
        """One hash over the names and bytes of everything that is trained on."""
        digest = hashlib.sha256()
        files = sorted(path for path in self.data.rglob("*") if path.is_file() and path.suffix != ".md")
        for path in [*files, *([self.listeners] if self.listeners else [])]:
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def check_labels(self, path: Path) -> int:
        """Print what a file of listeners' labels holds."""
        labels = read_labels(path)
        songs = load_listeners(path)
        liked = sum(label.rating > 0 for label in labels)
        print(f"{len(labels)} labels, {liked} liked, {len(songs)} songs to train on")
        return 0

    def _map(self, job: Callable[[In], Out], items: Sequence[In], what: str) -> list[Out]:
        workers = self.workers or len(os.sched_getaffinity(0))
        if workers == 1:
            return [job(item) for item in tqdm(items, what)]
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _one_thread) as pool:
            return list(tqdm(pool.map(job, items), what, len(items)))


def _one_thread() -> None:
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")


def _render(item: tuple[Score, int], cache: Path) -> bool:
    """Whether a render failed; one bad song must not end an hour's work."""
    score, take = item
    try:
        rendered(score, take, cache)
    except (OSError, ValueError, RuntimeError) as exc:
        log.warning("%s, take %d: %s", score.song_id, take, exc)
        return True
    return False


def _train(job: tuple[str, Sequence[Song]], recipe: Recipe, run: Path) -> None:
    kind, songs = job
    train_kind(kind, songs, recipe, run)


def _judge(job: tuple[int, Sequence[Song]], recipe: Recipe, run: Path) -> dict[str, evaluate.Judged]:
    fold, songs = job
    graph = fold_graph(run, recipe, fold)
    return {song.song_id: evaluate.judge(graph, song) for song in songs}
