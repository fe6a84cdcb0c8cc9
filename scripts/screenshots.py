"""The README's two pictures: a short visit, played for `make screenshots` into docs/sandbox-*.png."""

import asyncio
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from sandbox.browser import running_browser
from sandbox.launch import running_bot
from sandbox.server import Sandbox

DOCS = Path(__file__).parents[1] / "docs"
WAIT_MS = 180_000


@contextmanager
def running_sandbox_and_bot(room: Path) -> Iterator[str]:
    """Both in a thread of their own, since Playwright's plain API wants this one; yields the address."""
    ready, stop = threading.Event(), threading.Event()
    addresses: list[str] = []

    async def serve() -> None:
        async with (
            Sandbox(room / "chats").serving() as url,
            running_bot(url, room / "bot", log_path=room / "log"),
        ):
            addresses.append(url)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        ready.wait()
        yield addresses[0]
    finally:
        stop.set()
        thread.join()


def visit(browser: Browser, url: str) -> None:
    """Send the sample, look at the curve, leave a thumb: what both pictures show."""
    page = open_page(browser, url, 390, 844, 1.5)
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator(".message[data-from=bot]").first.wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Attach").click()
    page.get_by_role("button", name=re.compile("Send the sample track")).click()
    voice = page.locator(".message[data-from=bot]:has(audio[data-kind=voice])").first
    voice.wait_for(timeout=WAIT_MS)
    voice.locator(".wave[data-drawn]").wait_for(timeout=WAIT_MS)
    voice.locator("audio").evaluate("sound => { sound.currentTime = 11 }")
    picture(page, "phone")
    voice.get_by_role("button", name="Curve").click()
    page.locator(".picture img").first.wait_for(timeout=WAIT_MS)
    voice.get_by_role("button", name="👍").click()
    page.close()


def open_page(
    browser: Browser, url: str, width: int, height: int, scale: float, scheme: str = "light"
) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=scale, color_scheme=scheme
    )  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    page.wait_for_selector("body[data-ready][data-bot=true]")
    return page


def picture(page: Page, name: str) -> None:
    page.mouse.move(2, 2)
    page.wait_for_timeout(900)  # let the last animation end
    page.screenshot(path=DOCS / f"sandbox-{name}.png")


def main() -> int:
    DOCS.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox_and_bot(Path(folder)) as url,
        running_browser() as browser,
    ):
        visit(browser, url)
        desk = open_page(browser, url, 1280, 800, 1, "dark")
        desk.get_by_role("button", name="Open the inspector").click()
        desk.locator(".call").first.wait_for()
        desk.locator(".wave[data-drawn]").first.wait_for(state="attached")
        picture(desk, "desktop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
