"""python -m training prepare | train | evaluate | export | labels | all, each with --data PATH.

`prepare` renders and caches features, `train` fits the networks of each fold, `evaluate` prints the tables,
`export` writes the weights that ship, `labels` checks a file of listeners' labels, `all` does the first four.
"""

import argparse
import logging
import sys
from pathlib import Path

from training.commands import Workshop

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "training"
DEFAULT_WORK = Path("var") / "training"
COMMANDS = ("prepare", "train", "evaluate", "ablate", "export", "labels", "all")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "command", choices=["prepare", "train", "evaluate", "ablate", "export", "labels", "all"]
    )
    parser.add_argument("file", nargs="?", type=Path, help="labels: the JSON lines to check")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder with billboard/ and pop909/")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="cache of features and trained nets")
    parser.add_argument("--listeners", type=Path, help="JSON lines exported by the bot, trained on as well")
    parser.add_argument("--gold", type=Path, help="evaluate: folder with labels.csv and audio/, a final look")
    parser.add_argument("--songs", type=int, default=262, help="POP909 songs to render: 428 are usable")
    parser.add_argument("--renders", type=int, default=1, help="arrangements of each of them")
    parser.add_argument("--slow-songs", type=int, default=100, help="songs for pychorus and libfmp")
    parser.add_argument("--workers", type=int, help="processes; by default one a core")
    parser.add_argument("--out", type=Path, default=Path("inference/weights/interest.onnx"))
    parser.add_argument("--version", default="dev", help="export: version in the file's metadata")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    workshop = Workshop(
        data=options.data,
        work=options.work,
        listeners=options.listeners,
        rendered_songs=options.songs,
        renders=options.renders,
        workers=options.workers,
    )
    if options.command == "labels":
        if options.file is None:
            parser.error("labels needs a file")
        return workshop.check_labels(options.file)
    if options.command in ("prepare", "all"):
        workshop.prepare()
    if options.command in ("train", "all"):
        workshop.train()
    if options.command in ("evaluate", "all"):
        workshop.evaluate(options.slow_songs, options.gold)
    if options.command == "ablate":
        workshop.ablate()
    if options.command in ("export", "all"):
        workshop.export(options.out, options.version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
