"""Queries on tracks, their analyses, and the highlights cut from them."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.db.models import AnalysisRow, HighlightRow, TrackRow
from bot.domain import Analysis, Choices, Highlight, Track


async def see_track(session: AsyncSession, track: Track) -> None:
    """Write a track down, or refresh what Telegram says of it (a file_id may change, the rest may arrive
    later).
    """
    row = await session.get(TrackRow, track.id)
    if row is None:
        row = TrackRow(id=track.id)
        session.add(row)
    row.file_id = track.file_id
    for field in ("size_bytes", "duration_s", "title", "performer", "file_name", "mime_type"):
        if (value := getattr(track, field)) is not None:
            setattr(row, field, value)
    await session.flush()


async def get_track(session: AsyncSession, track_id: str) -> Track | None:
    row = await session.get(TrackRow, track_id)
    return None if row is None else to_track(row)


def to_track(row: TrackRow) -> Track:
    return Track(
        id=row.id,
        file_id=row.file_id,
        size_bytes=row.size_bytes,
        duration_s=row.duration_s,
        title=row.title,
        performer=row.performer,
        file_name=row.file_name,
        mime_type=row.mime_type,
    )


def to_analysis(row: AnalysisRow) -> Analysis:
    return Analysis(
        id=row.id,
        track_id=row.track_id,
        model_version=row.model_version,
        duration_s=row.duration_s,
        tempo_bpm=row.tempo_bpm,
        key=row.key,
        confidence=row.confidence,
        document=row.document,
    )


def to_highlight(row: HighlightRow) -> Highlight:
    return Highlight(
        id=row.id,
        analysis_id=row.analysis_id,
        options=row.options,
        start_s=row.start_s,
        end_s=row.end_s,
        score=row.score,
        file_id=row.file_id,
        choices=to_choices(row.choices),
        curve_file_id=row.curve_file_id,
    )


def to_choices(stored: dict[str, Any]) -> Choices:
    start_s, end_s = stored["best"]
    return Choices(stored["starts"], (start_s, end_s), stored["rank"], stored["n_moments"])


async def get_analysis(session: AsyncSession, track_id: str, model_version: str) -> Analysis | None:
    row = await session.scalar(
        select(AnalysisRow).where(
            AnalysisRow.track_id == track_id, AnalysisRow.model_version == model_version
        )
    )
    return None if row is None else to_analysis(row)


async def get_highlight(session: AsyncSession, analysis_id: int, options: str) -> Highlight | None:
    row = await session.scalar(
        select(HighlightRow).where(HighlightRow.analysis_id == analysis_id, HighlightRow.options == options)
    )
    return None if row is None else to_highlight(row)


async def put_analysis(
    session: AsyncSession,
    *,
    track_id: str,
    model_version: str,
    duration_s: float,
    tempo_bpm: float | None,
    key: str | None,
    confidence: float,
    document: dict[str, Any],
) -> int:
    """Store or replace; returns the id."""
    row = await session.scalar(
        select(AnalysisRow).where(
            AnalysisRow.track_id == track_id, AnalysisRow.model_version == model_version
        )
    )
    if row is None:
        row = AnalysisRow(track_id=track_id, model_version=model_version)
        session.add(row)
    row.duration_s, row.tempo_bpm, row.key = duration_s, tempo_bpm, key
    row.confidence, row.document = confidence, document
    await session.flush()
    return row.id


async def put_highlight(
    session: AsyncSession,
    *,
    analysis_id: int,
    options: str,
    start_s: float,
    end_s: float,
    score: float,
    choices: Choices,
) -> Highlight:
    """Store or replace. The file_ids are kept while the window stays what it was."""
    row = await session.scalar(
        select(HighlightRow).where(HighlightRow.analysis_id == analysis_id, HighlightRow.options == options)
    )
    if row is None:
        row = HighlightRow(analysis_id=analysis_id, options=options)
        session.add(row)
    elif (row.start_s, row.end_s) != (start_s, end_s):
        row.file_id = row.curve_file_id = None
    row.start_s, row.end_s, row.score = start_s, end_s, score
    row.choices = asdict(choices)
    await session.flush()
    return to_highlight(row)


async def set_file_id(session: AsyncSession, highlight_id: int, file_id: str | None) -> None:
    await session.execute(update(HighlightRow).where(HighlightRow.id == highlight_id).values(file_id=file_id))


async def set_curve_file_id(session: AsyncSession, highlight_id: int, file_id: str | None) -> None:
    await session.execute(
        update(HighlightRow).where(HighlightRow.id == highlight_id).values(curve_file_id=file_id)
    )


async def get_analysis_of(session: AsyncSession, highlight_id: int) -> tuple[Analysis, Highlight] | None:
    """A highlight by its own id, with what it was cut from."""
    row = await session.get(HighlightRow, highlight_id)
    if row is None:
        return None
    analysis = await session.get_one(AnalysisRow, row.analysis_id)
    return to_analysis(analysis), to_highlight(row)
