"""The bot on this machine: against Telegram when there is a BOT_TOKEN, in the local sandbox otherwise."""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path

from sandbox.server import DEFAULT_PORT, DEFAULT_TOKEN, Sandbox
from sandbox.settings import RunSettings


def main() -> int:
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        match arguments.command:
            case "serve":
                sandbox = Sandbox(arguments.state, token=arguments.token, is_local=arguments.local)
                asyncio.run(_serve(sandbox, arguments.port))
            case "demo":
                if arguments.file is not None and not arguments.file.is_file():
                    print(f"there is no file {arguments.file}", file=sys.stderr)
                    return 2
                from sandbox.demo import run_demo  # the song's numerics are heavy to import

                return asyncio.run(run_demo(arguments.file, arguments.out))
            case _:
                if RunSettings().bot_token is not None and not arguments.sandbox:
                    os.execv(sys.executable, [sys.executable, "-m", "bot"])  # noqa: S606 (becomes the bot)
                from sandbox.launch import run_sandbox

                asyncio.run(run_sandbox(arguments.state, arguments.port, has_bot=not arguments.no_bot))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: a free one")
    parser.add_argument("--state", type=Path, default=Path("var/sandbox"), help="where chats are kept")
    parser.add_argument("--sandbox", action="store_true", help="the sandbox even when BOT_TOKEN is set")
    parser.add_argument("--no-bot", action="store_true", help="start the bot yourself, as in a debugger")
    commands = parser.add_subparsers(dest="command")
    demo = commands.add_parser("demo", help="send one track through sandbox and bot and print the answer")
    demo.add_argument("file", type=Path, nargs="?", help="default: a synthesised song")
    demo.add_argument("--out", type=Path, default=Path("out"), help="where the voice message is saved")
    serve = commands.add_parser("serve", help="only the Bot API server and the page")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT)
    serve.add_argument("--state", type=Path, default=None, help="keep chats here; default: forget them")
    serve.add_argument("--token", default=DEFAULT_TOKEN)
    serve.add_argument("--local", action="store_true", help="no size limits, files by absolute path")
    return parser


async def _serve(sandbox: Sandbox, port: int) -> None:
    async with sandbox.serving(port) as url:
        print(f"sandbox {url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
