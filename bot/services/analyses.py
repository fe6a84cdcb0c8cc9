"""What is kept of a track after its audio is gone."""

from dataclasses import replace

from bot.db import tracks
from bot.db.engine import Database
from bot.domain import Analysis, Track
from bot.services.audio_tasks import AnalysisResult


async def keep_analysis(database: Database, track: Track, result: AnalysisResult) -> Analysis:
    """Store it, with the file's own tags where Telegram had none, and the true duration in any case."""
    async with database.write() as session:
        await tracks.see_track(
            session,
            replace(
                track,
                duration_s=result.duration_s,
                title=track.title or result.title,
                performer=track.performer or result.performer,
            ),
        )
        await tracks.put_analysis(
            session,
            track_id=track.id,
            model_version=result.model_version,
            duration_s=result.duration_s,
            tempo_bpm=result.tempo_bpm,
            key=result.key,
            confidence=result.confidence,
            document=result.document,
        )
        analysis = await tracks.get_analysis(session, track.id, result.model_version)
    assert analysis is not None  # noqa: S101  # stored three lines above
    return analysis
