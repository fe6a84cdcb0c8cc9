"""One track through sandbox and bot, told on the terminal: `make demo FILE=song.mp3`."""

import asyncio
import itertools
import tempfile
import time
from pathlib import Path

from sandbox.client import MessageView, SandboxClient
from sandbox.launch import running_bot
from sandbox.server import Sandbox
from sandbox.song import write_song

START_S = 120.0  # a cold start compiles and warms the audio stack
ANSWER_S = 600.0
QUIET_S = 6.0  # a chat action lasts five seconds: a bot at work renews it


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
    sent_at = time.time()
    sent = await client.send_file("auto", track)
    answer = await _final_answer(client, sent)
    _print_message(answer)
    print(f"\nanswered in {await _arrived_at(client, answer) - sent_at:.2f} s")
    if answer.kind not in {"voice", "audio"}:
        return 1
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{track.stem}-highlight.ogg"
    target.write_bytes(await client.download(answer.file_id))
    print(f"saved    {target}")
    return 0


async def _final_answer(client: SandboxClient, track: MessageView) -> MessageView:
    """The highlight; or, once the bot shows no activity any more, the sentence with which it refused."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ANSWER_S
    n_actions = -1
    while True:
        try:
            return await client.wait_for(_is_highlight, after=track, timeout_s=QUIET_S)
        except TimeoutError:
            if loop.time() > deadline:
                raise
        actions = len(await client.calls("sendChatAction"))
        said = [m for m in await client.messages(from_bot=True) if m.message_id > track.message_id]
        if said and actions == n_actions:
            return said[-1]
        n_actions = actions


async def _arrived_at(client: SandboxClient, message: MessageView) -> float:
    """When the call that brought the message ended, in seconds of `time.time`."""
    for call in await client.calls():
        if isinstance(call.result, dict) and call.result.get("message_id") == message.message_id:
            return call.started_at + call.elapsed_ms / 1000
    return time.time()


def _is_highlight(message: MessageView) -> bool:
    return message.kind in {"voice", "audio"} and not message.is_deleted


def _print_message(message: MessageView) -> None:
    lines = message.text.splitlines()
    if message.kind != "text":
        kind = "voice message" if message.kind == "voice" else message.kind
        length = f", {int(message.media['duration'])} s" if message.media.get("duration") else ""
        reply = ", as a reply to the track" if message.reply_to else ""
        lines.insert(0, f"[{kind}{length}{reply}]")
    for speaker, line in itertools.zip_longest(["bot"], lines, fillvalue=""):
        print(f"{speaker:<6} {line}")
    rows: dict[int, list[str]] = {}
    for button in message.buttons:
        rows.setdefault(button.row, []).append(f"[ {button.text} ]")
    for row in rows.values():
        print(f"       {'  '.join(row)}")


def _tail(path: Path, n_lines: int = 20) -> str:
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-n_lines:]) if path.exists() else ""
