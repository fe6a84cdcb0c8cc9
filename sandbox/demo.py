"""One track through sandbox and bot, told on the terminal: `make demo FILE=song.mp3`."""

import asyncio
import tempfile
import time
from pathlib import Path

from sandbox.client import MessageView, SandboxClient
from sandbox.launch import running_bot
from sandbox.server import Sandbox
from sandbox.song import write_song

START_S = 120.0  # a cold start compiles and warms the audio stack
ANSWER_S = 600.0


async def run_demo(file: Path | None, out: Path) -> int:
    """Send `file` (or the synthesised song) and print what the user sees; 0 when a highlight came back."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        room = Path(folder)
        track = file or room / "sample-song.mp3"
        if file is None:
            await asyncio.to_thread(write_song, track)
        log_path = room / "bot.log"
        sandbox = Sandbox(room / "sandbox")
        async with (
            sandbox.serving() as url,
            running_bot(url, room / "bot", log_path=log_path),
            SandboxClient(url) as client,
        ):
            try:
                return await _play(client, track, out)
            except TimeoutError as exc:
                print(f"no answer: {exc}\n--- the bot's last words ---\n{_tail(log_path)}")
                return 1


async def _play(client: SandboxClient, track: Path, out: Path) -> int:
    await client.wait_for_polling(timeout_s=START_S)
    await client.send_text("/start")
    await client.wait_for(lambda message: True, timeout_s=START_S)
    print(f"you    {track.name}")
    sent_at = time.monotonic()
    sent = await client.send_file("auto", track)
    answer = await client.wait_for(lambda message: is_final(message, sent), after=sent, timeout_s=ANSWER_S)
    elapsed_s = time.monotonic() - sent_at
    _print_message(answer)
    print(f"\nanswered in {elapsed_s:.2f} s")
    if answer.kind not in {"voice", "audio"}:
        return 1
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{track.stem}-highlight.ogg"
    target.write_bytes(await client.download(answer.file_id))
    print(f"saved    {target}")
    return 0


def is_final(message: MessageView, track: MessageView) -> bool:
    """A highlight, or a sentence that answers the track: what ends the wait."""
    if message.is_deleted:
        return False
    return message.kind in {"voice", "audio"}


def _print_message(message: MessageView) -> None:
    kind = {"voice": "voice message", "audio": "audio"}.get(message.kind, "")
    length = f", {int(message.media['duration'])} s" if message.media.get("duration") else ""
    reply = ", as a reply to the track" if message.reply_to else ""
    print(f"bot    {f'[{kind}{length}{reply}]' if kind else ''}")
    for line in message.text.splitlines():
        print(f"       {line}")
    rows: dict[int, list[str]] = {}
    for button in message.buttons:
        rows.setdefault(button.row, []).append(f"[ {button.text} ]")
    for row in rows.values():
        print(f"       {'  '.join(row)}")


def _tail(path: Path, n_lines: int = 20) -> str:
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-n_lines:]) if path.exists() else ""
