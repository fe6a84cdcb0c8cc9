"""The chat page in a real browser, against the real bot: what a newcomer does after `make run`.

About two minutes, most of it the start of the bot.
"""

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from sandbox.browser import NoBrowser, running_browser
from sandbox.song import write_song

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).parents[2]
PICTURES = REPOSITORY / "out" / "screenshots"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}
ANSWER_MS = 240_000  # the machine may be busy with other tests
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with running_browser() as browser:
            yield browser
    except NoBrowser as exc:
        pytest.skip(f"no Chromium: {exc}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """`python -m sandbox` as `make run` starts it: its address and process id."""
    state = tmp_path_factory.mktemp("state")
    with (state / "run.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--sandbox", "--port", "0", "--state", str(state)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0], process.pid
                break
        else:
            pytest.fail(f"the sandbox did not start: {(state / 'run.log').read_text()[-2000:]}")
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("song") / "lantern song.mp3"
    write_song(path, tempo_bpm=128.0, seed=3)
    return path


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=PHONE) as context:  # type: ignore[arg-type]
        yield context


@pytest.fixture
def page(context: BrowserContext, running: tuple[str, int]) -> Page:
    return open_page(context, running[0])


def open_page(context: BrowserContext, url: str, place: str = "bot") -> Page:
    """A window; every script error fails the test that opened it."""
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    page.goto(f"{url}/#{place}")
    page.wait_for_selector("body[data-ready][data-connected=true]")
    page.wait_for_selector("body[data-bot=true]", timeout=ANSWER_MS)
    return page


def last(page: Page, selector: str = "") -> Locator:
    return page.locator(f".message {selector}").last


def send(page: Page, text: str) -> None:
    page.get_by_role("textbox", name=re.compile("Message|Сообщение")).fill(text)
    page.keyboard.press("Enter")


def n_messages(page: Page) -> int:
    return page.locator(".message").count()


def answer_after(page: Page, n_before: int, text: str | re.Pattern[str]) -> Locator:
    """The bot's bubble with this text that came after the first `n_before` messages."""
    bubble = page.locator(f".message:nth-of-type(n + {n_before + 1})[data-from=bot]", has_text=text).last
    expect(bubble).to_be_visible(timeout=ANSWER_MS)
    return bubble


def voices(page: Page) -> Locator:
    return page.locator(".message[data-from=bot]:has(audio[data-kind=voice])")


def duration_s(sound: Locator) -> float:
    """What the browser itself reads from the file."""
    handle = sound.locator("audio").element_handle()
    assert handle is not None
    return float(
        handle.evaluate(
            "a => a.readyState > 0 ? a.duration : "
            "new Promise(done => a.addEventListener('loadedmetadata', () => done(a.duration)))"
        )
    )


def upload(page: Page, *paths: Path) -> None:
    page.set_input_files("#picker", [str(path) for path in paths])


def test_a_newcomer_starts_the_bot_and_takes_the_sample(page: Page) -> None:
    expect(page.get_by_role("note")).to_contain_text("Sandbox")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(last(page, ".body")).to_contain_text("track", timeout=ANSWER_MS)
    page.get_by_role("button", name="Attach").click()
    page.get_by_role("button", name=re.compile("Send the sample track")).click()
    expect(page.locator(".message.is-own .track-title")).to_have_text("Paper Lanterns")
    voice = voices(page).first
    expect(voice).to_be_visible(timeout=ANSWER_MS)
    expect(voice).to_contain_text("Paper Lanterns")
    assert duration_s(voice) == pytest.approx(30.0, abs=0.05)


def test_an_uploaded_track_comes_back_as_a_voice_message_one_can_hear(page: Page, song: Path) -> None:
    n_before = voices(page).count()
    upload(page, song)
    expect(voices(page)).to_have_count(n_before + 1, timeout=ANSWER_MS)
    voice = voices(page).last
    said = re.search(r"(\d+):(\d\d)–(\d+):(\d\d)", voice.inner_text())
    assert said is not None, voice.inner_text()
    start_s, end_s = (int(said[i]) * 60 + int(said[i + 1]) for i in (1, 3))
    assert duration_s(voice) == pytest.approx(end_s - start_s, abs=1.0)
    expect(voice.locator(".wave")).to_have_attribute("data-drawn", "true")
    expect(voice.locator(".quote")).to_contain_text("Lanterns")

    voice.get_by_role("button", name="Play").click()
    expect(voice.get_by_role("button", name="Pause")).to_be_visible()
    voice.get_by_role("button", name="Pause").click()
    voice.get_by_role("slider").press("End")
    assert voice.locator("audio").evaluate("a => a.currentTime") > 25

    voice.get_by_role("button", name=said[0].split("–")[0]).click()
    track = page.locator(".message.is-own audio[data-kind=audio]").last
    assert track.evaluate("a => a.currentTime") >= start_s


def test_files_dropped_on_the_chat_become_an_album(page: Page, song: Path, tmp_path: Path) -> None:
    other = tmp_path / "second song.mp3"
    write_song(other, tempo_bpm=100.0, seed=11)
    n_before = voices(page).count()
    names = [song.name, other.name]
    contents = [base64.b64encode(path.read_bytes()).decode() for path in (song, other)]
    transfer = page.evaluate_handle(
        """([names, contents]) => {
            const transfer = new DataTransfer();
            names.forEach((name, i) => {
                const bytes = Uint8Array.from(atob(contents[i]), (char) => char.charCodeAt(0));
                const file = new File([bytes], name, {type: "audio/mpeg"});
                transfer.items.add(file);
            });
            return transfer;
        }""",
        [names, contents],
    )
    page.dispatch_event(".thread", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event(".thread", "drop", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_be_hidden()
    expect(voices(page)).to_have_count(n_before + 2, timeout=ANSWER_MS)


def test_buttons_change_the_answer_and_show_the_curve(page: Page) -> None:
    voice = voices(page).first
    voice.get_by_role("button", name="15 s").click()
    expect(page.locator(".message", has=page.get_by_role("button", name="✓ 15 s")).last).to_be_visible(
        timeout=ANSWER_MS
    )
    shorter = page.locator(".message", has=page.get_by_role("button", name="✓ 15 s")).last
    assert duration_s(shorter) == pytest.approx(15.0, abs=1.5)
    shorter.get_by_role("button", name="Curve").click()
    picture = page.locator(".picture img").last
    expect(picture).to_be_visible(timeout=ANSWER_MS)
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


def test_a_playlist_becomes_one_file_with_time_codes_to_tap(page: Page) -> None:
    send(page, "/playlist")
    menu = page.locator(
        ".message[data-from=bot]", has=page.get_by_role("button", name=re.compile("Next ▸"))
    ).last
    expect(menu).to_be_visible(timeout=ANSWER_MS)
    menu.get_by_role("button", name="All since my last mix").click()
    menu.get_by_role("button", name=re.compile(r"Next ▸ \([2-9]\)")).click()
    make = page.get_by_role("button", name=re.compile("Make it")).last
    expect(make).to_be_visible(timeout=ANSWER_MS)
    make.click()
    mix = page.locator(".message[data-from=bot]:has(audio[data-kind=audio])", has_text="🎚").last
    expect(mix).to_be_visible(timeout=ANSWER_MS)
    expect(mix.locator(".track-by")).to_contain_text("Audio Highlight")
    assert duration_s(mix) > 40
    codes = mix.locator(".timecode")
    assert codes.count() >= 2
    codes.last.click()
    assert mix.locator("audio").evaluate("a => a.currentTime") > 5


def test_feedback_reaches_the_team_and_its_answer_comes_back(
    page: Page, context: BrowserContext, running: tuple[str, int]
) -> None:
    team = open_page(context, running[0], "team")
    n_before = n_messages(page)
    send(page, "/feedback")
    answer_after(page, n_before, "team")
    send(page, "The second chorus is better!")
    letter = team.locator(".message[data-from=bot]", has_text="The second chorus is better!").last
    expect(letter).to_be_visible(timeout=ANSWER_MS)
    expect(team.locator(".message[data-from=bot]", has_text="Ada").last).to_be_visible()

    letter.hover()
    letter.get_by_role("button", name="Reply").click()
    expect(team.locator(".context")).to_contain_text("second chorus")
    send(team, "You are right, thank you.")
    answer = page.locator(".message[data-from=bot]", has_text="You are right, thank you.")
    expect(answer).to_be_visible(timeout=ANSWER_MS)
    page.get_by_role("button", name="That's all").last.click()
    expect(page.locator(".toast")).to_be_visible(timeout=ANSWER_MS)


def test_the_menu_shows_the_commands_in_the_users_language(page: Page) -> None:
    page.get_by_role("button", name="RU", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    try:
        page.get_by_role("button", name="Команды бота").click()
        expect(page.locator(".command-text").first).to_have_text(re.compile("[а-я]"))
        n_before = n_messages(page)
        page.locator(".popup").get_by_role("button", name=re.compile("help")).click()
        answer_after(page, n_before, re.compile("[а-я]{3}"))
    finally:
        page.get_by_role("button", name="EN", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_message_is_answered_from_the_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to writing")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    page.keyboard.type("/hel")
    page.keyboard.press("ArrowDown")
    n_before = n_messages(page)
    page.keyboard.press("Enter")
    answer_after(page, n_before, re.compile("."))
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")
    last(page).get_by_role("button", name="Reply").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".context")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".context")).to_be_hidden()


def test_two_windows_and_a_reload_show_the_same(
    page: Page, context: BrowserContext, running: tuple[str, int]
) -> None:
    other = open_page(context, running[0])
    n_before = n_messages(other)
    send(page, "/start")
    for window in (page, other):  # each hears of it in its own time
        answer_after(window, n_before + 1, re.compile("."))
    shown = page.locator(".message").all_inner_texts()
    assert other.locator(".message").all_inner_texts() == shown
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator(".message")).to_have_count(len(shown))
    assert page.locator(".message").all_inner_texts() == shown


def test_the_inspector_shows_calls_and_voices_can_be_forbidden(page: Page) -> None:
    page.get_by_role("button", name="Open the inspector").click()
    calls = page.get_by_role("feed", name="Calls")
    calls.locator("summary", has_text="sendVoice").first.click()
    expect(calls.locator("details[open] pre").first).to_contain_text('"voice"')
    page.get_by_role("button", name="Trouble").click()
    page.get_by_role("switch", name="Forbids voice messages").check()
    page.locator(".inspector-head").get_by_role("button", name="Close the inspector").click()
    try:
        n_before = page.locator(".message[data-from=bot] audio[data-kind=audio]").count()
        page.get_by_role("button", name="Attach").click()
        page.get_by_role("button", name=re.compile("Send the sample track")).click()
        music = page.locator(".message[data-from=bot] audio[data-kind=audio]")
        expect(music).to_have_count(n_before + 1, timeout=ANSWER_MS)
    finally:
        page.get_by_role("button", name="Open the inspector").click()
        page.get_by_role("button", name="Trouble").click()
        page.get_by_role("switch", name="Forbids voice messages").uncheck()


def test_the_page_goes_on_when_the_bot_is_killed(page: Page, running: tuple[str, int]) -> None:
    children = psutil.Process(running[1]).children()
    (bot,) = [child for child in children if "bot" in child.cmdline()]
    bot.kill()
    n_before = n_messages(page)
    send(page, "/start")
    answer_after(page, n_before + 1, "track")
    expect(page.locator("body")).to_have_attribute("data-connected", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "size"), [("phone", PHONE), ("desktop", DESK)])
def test_screenshots(
    browser: Browser, running: tuple[str, int], device: str, size: dict[str, int], scheme: str
) -> None:
    """Artefacts for people to look at; the test itself only sees to it that nothing sticks out sideways."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with browser.new_context(viewport=size, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = open_page(context, running[0])
        expect(page.locator("html")).to_have_attribute("data-theme", scheme)
        if device == "desktop":
            page.get_by_role("button", name="Open the inspector").click()
            page.wait_for_selector(".call")
        page.wait_for_selector(".wave[data-drawn]", state="attached")
        page.screenshot(path=PICTURES / f"{device}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
