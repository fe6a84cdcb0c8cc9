"""What the menu of a mix does. The draft lives in storage, so it survives restarts; a press works on it as it
is now, whatever the old message shows.
"""

import logging
from dataclasses import asdict, replace

from bot.db import mixes
from bot.db.engine import Database
from bot.domain import (
    JobKind,
    JobRequest,
    Listener,
    MixDraft,
    MixSettings,
    MixState,
    MixTrack,
)
from bot.mix_buttons import CROSSFADES, ORDERS, PAGE, MixAction
from bot.services.jobs import JobService
from inference.config import LENGTHS_S

logger = logging.getLogger(__name__)

MIN_TRACKS = 2
MAX_TRACKS = 50
OFFERED = 100
OPEN = (MixState.CHOOSING, MixState.PLANNED)


class MixRefused(Exception):
    """`key`: the sentence that says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class MixService:
    def __init__(self, database: Database, jobs: JobService) -> None:
        self._database = database
        self._jobs = jobs

    async def begin(self, listener: Listener, chat_id: int, album: str | None = None) -> MixDraft:
        """A new draft: of an album, else with what is in the basket chosen, else all since the last mix.

        Raises MixRefused where there are not two tracks.
        """
        async with self._database.write() as session:
            basket = {one.track_id: one for one in await mixes.basket(session, listener.id)}
            recent = await mixes.recent_tracks(session, listener.id, OFFERED)
            last_before = await mixes.answers_before_last_mix(session, listener.id)
            album_ids = await mixes.album_tracks(session, listener.id, chat_id, album) if album else []
            fresh = {track_id for track_id, answer in recent if answer > last_before}
            ids = list(dict.fromkeys([*album_ids, *basket, *(track_id for track_id, _ in recent)]))[:OFFERED]
            if len(ids) < MIN_TRACKS:
                raise MixRefused("mix-too-few-tracks")
            # Oldest first: the order in which they were sent.
            sent_at = dict(recent)
            if not album_ids:
                ids.sort(key=lambda track_id: sent_at.get(track_id, 0))
            wanted = set(album_ids) or set(basket) or fresh
            candidates = [basket.get(track_id, MixTrack(track_id)) for track_id in ids]
            chosen = [i for i, track_id in enumerate(ids) if track_id in wanted][-MAX_TRACKS:]
            settings = MixSettings(length_s=listener.length_s)
            draft = await mixes.add(session, listener.id, chat_id, candidates, chosen, settings)
            if not album_ids and chosen:  # begin where the chosen ones are
                draft = await mixes.change(session, draft.id, page=chosen[-1] // PAGE) or draft
        return draft

    async def shown(self, mix_id: int, message_id: int) -> None:
        async with self._database.write() as session:
            await mixes.set_menu(session, mix_id, message_id)

    async def get(self, mix_id: int) -> MixDraft | None:
        async with self._database.read() as session:
            return await mixes.get(session, mix_id)

    async def press(self, mix: MixDraft, action: MixAction, value: str) -> MixDraft:
        """The draft after a press. Raises MixRefused with a sentence for what cannot be."""
        if mix.state not in OPEN:
            raise MixRefused("mix-over")
        match action:
            case MixAction.TOGGLE | MixAction.ALL_SINCE | MixAction.NONE:
                return await self._choose(mix, action, value)
            case MixAction.PAGE:
                last = (len(mix.candidates) - 1) // PAGE
                return await self._change(mix, page=min(max(_number(value), 0), last))
            case MixAction.BACK:
                return await self._change(mix, state=MixState.CHOOSING)
            case MixAction.ORDER | MixAction.CROSSFADE | MixAction.LENGTH:
                return await self._set(mix, action, value)
            case MixAction.CANCEL:
                return await self._change(mix, state=MixState.CANCELLED)
            case MixAction.PLAN:
                _check_number(len(mix.chosen))
                return await self._change(mix, state=MixState.PLANNED)
            case _:
                return mix

    async def _choose(self, mix: MixDraft, action: MixAction, value: str) -> MixDraft:
        chosen = set(mix.chosen)
        if action is MixAction.NONE:
            chosen = set()
        elif action is MixAction.ALL_SINCE:
            async with self._database.read() as session:
                recent = await mixes.recent_tracks(session, mix.user_id, OFFERED)
                last_before = await mixes.answers_before_last_mix(session, mix.user_id)
            fresh = {track_id for track_id, answer in recent if answer > last_before}
            chosen = {i for i, one in enumerate(mix.candidates) if one.track_id in fresh}
        elif 0 <= (index := _number(value)) < len(mix.candidates):
            chosen ^= {index}
        if len(chosen) > MAX_TRACKS:
            raise MixRefused("mix-too-many-tracks")
        return await self._change(mix, chosen=sorted(chosen))

    async def _set(self, mix: MixDraft, action: MixAction, value: str) -> MixDraft:
        settings = mix.settings
        if action is MixAction.ORDER and value in ORDERS:
            settings = replace(settings, order=value)
        elif action is MixAction.CROSSFADE and value in CROSSFADES:
            settings = replace(settings, crossfade=value)
        elif action is MixAction.LENGTH and value in {f"{length_s:g}" for length_s in LENGTHS_S}:
            settings = replace(settings, length_s=float(value))
        return await self._change(mix, options=asdict(settings))

    async def _change(self, mix: MixDraft, **values: object) -> MixDraft:
        async with self._database.write() as session:
            changed = await mixes.change(session, mix.id, **values)
        return changed or mix

    async def ask_plan(self, mix: MixDraft, press: str) -> None:
        """Order and length come into the menu when they are worked out."""
        await self._submit(JobKind.MIX_PLAN, mix, f"{mix.id}:{mix.revision}", press)

    async def ask_preview(self, mix: MixDraft, index: int, press: str) -> None:
        await self._submit(
            JobKind.MIX_PREVIEW, mix, f"{mix.id}:{mix.revision}:{index}", press, {"index": index}
        )

    async def make(self, mix: MixDraft, press: str) -> MixDraft:
        """Hand the mix to the queue. Raises MixRefused when it was, or holds too few tracks."""
        if mix.state not in OPEN:
            raise MixRefused("mix-over")
        _check_number(len(mix.chosen))
        await self._submit(JobKind.MIX, mix, str(mix.id), press)
        return await self._change(mix, state=MixState.MAKING)

    async def _submit(
        self,
        kind: JobKind,
        mix: MixDraft,
        options: str,
        press: str,
        payload: dict[str, int] | None = None,
    ) -> None:
        await self._jobs.submit(
            JobRequest(
                kind=kind,
                user_id=mix.user_id,
                chat_id=mix.chat_id,
                message_id=mix.menu_message_id or 0,
                options=options,
                payload={"mix_id": mix.id, "revision": mix.revision, **(payload or {})},
            ),
            press=press,
        )

    async def cancel(self, mix: MixDraft) -> list[int]:
        """End the mix, also one that is being made; the numbers of its jobs."""
        async with self._database.write() as session:
            await mixes.finish(session, mix.id, MixState.CANCELLED)
            return await mixes.cancel_jobs(session, mix.user_id, mix.id)


def _number(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else -1


def _check_number(n: int) -> None:
    if n < MIN_TRACKS:
        raise MixRefused("mix-too-few-chosen")
    if n > MAX_TRACKS:
        raise MixRefused("mix-too-many-tracks")
