"""Chromium for the browser tests and the README's pictures. Playwright's own browsers are not needed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

INSTALLER = Path(__file__).parents[1] / "scripts" / "install-browser.sh"
FLAGS = (
    "--no-sandbox",  # a test container runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


class NoBrowser(Exception):
    """Chromium is not here and cannot be installed; the message says why."""


def find_browser() -> str:
    """The path of Chromium, installed by the project's script where that is possible."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    done = subprocess.run(  # noqa: S603 (our own script)
        [INSTALLER], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise NoBrowser(
            done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "cannot be installed"
        )
    return "/usr/bin/chromium"


@contextmanager
def running_browser() -> Iterator[Browser]:
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), headless=True)
        try:
            yield browser
        finally:
            browser.close()
