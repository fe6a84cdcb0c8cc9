"""`python -m sandbox`: the bot on this machine, with or without Telegram."""

import argparse
import asyncio
import sys
from pathlib import Path

from sandbox.server import DEFAULT_PORT, DEFAULT_TOKEN, Sandbox


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    serve = commands.add_parser("serve", help="only the Bot API server and the page, without the bot")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    serve.add_argument("--state", type=Path, help="keep chats and files in this directory")
    serve.add_argument("--token", default=DEFAULT_TOKEN)
    serve.add_argument("--local", action="store_true", help="no size limits, files by absolute path")
    arguments = parser.parse_args()
    if arguments.command == "serve":
        sandbox = Sandbox(arguments.state, token=arguments.token, is_local=arguments.local)
        try:
            asyncio.run(_serve(sandbox, arguments.port))
        except KeyboardInterrupt:
            return 0
    return 0


async def _serve(sandbox: Sandbox, port: int) -> None:
    async with sandbox.serving(port) as url:
        print(f"sandbox {url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
