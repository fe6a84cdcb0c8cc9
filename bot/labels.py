"""`python -m bot labels export FILE`: what listeners said of windows, as training reads it.

One JSON object a line, in the form that training/README.md describes. Nothing in a line names a listener: no
user, no chat, no time; the track's number is a hash of Telegram's. Audio is not kept, so `features` is null;
`curve` is the model's curve as the analysis keeps it.
"""

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select

from bot.db.engine import Database, create_engine
from bot.db.models import AnalysisRow, LabelRow, TrackRow
from bot.settings import DatabaseSettings

SCHEMA = 1


def _lines(rows: Sequence[tuple[LabelRow, TrackRow, AnalysisRow | None]]) -> Iterator[dict[str, Any]]:
    for label, track, analysis in rows:
        is_moved = label.corrected_start_s is not None
        if label.rating is None and not is_moved:  # taken back
            continue
        duration_s = analysis.duration_s if analysis else track.duration_s
        yield {
            "schema": SCHEMA,
            "track_id": hashlib.sha256(track.id.encode()).hexdigest()[:16],
            "title": track.title or "",
            "performer": track.performer or "",
            "duration_s": duration_s or label.end_s,
            "model_version": label.model_version,
            "window": {"start_s": label.start_s, "end_s": label.end_s},
            "confidence": analysis.confidence if analysis else None,
            "rating": label.rating or 0,
            "corrected": {"start_s": label.corrected_start_s, "end_s": label.corrected_end_s}
            if is_moved
            else None,
            "features": None,
            "curve": analysis.document.get("curve") if analysis else None,
        }


def _write(path: Path, lines: list[str]) -> int:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


async def export(database_url: str, out_path: Path) -> int:
    """Write all labels to `out_path`; how many."""
    database = Database(create_engine(database_url))
    try:
        async with database.read() as session:
            found = await session.execute(
                select(LabelRow, TrackRow, AnalysisRow)
                .join(TrackRow, TrackRow.id == LabelRow.track_id)
                .outerjoin(
                    AnalysisRow,
                    and_(
                        AnalysisRow.track_id == LabelRow.track_id,
                        AnalysisRow.model_version == LabelRow.model_version,
                    ),
                )
                .order_by(LabelRow.id)
            )
            rows = [(label, track, analysis) for label, track, analysis in found]
    finally:
        await database.close()
    lines = [json.dumps(line, ensure_ascii=False) for line in _lines(rows)]
    return await asyncio.to_thread(_write, out_path, lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bot")
    labels = parser.add_subparsers(dest="command", required=True).add_parser("labels")
    exporting = labels.add_subparsers(dest="action", required=True).add_parser("export")
    exporting.add_argument("file", type=Path, help="JSON lines; `python -m training labels FILE` checks them")
    chosen = parser.parse_args(arguments)
    n = asyncio.run(export(DatabaseSettings().database, chosen.file))
    sys.stdout.write(f"{n} labels in {chosen.file}\n")
    return 0
