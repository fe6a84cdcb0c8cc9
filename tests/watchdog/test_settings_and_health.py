"""Settings name what is wrong; the health check believes only fresh signs; the process stays small."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from watchdog.commands import read_duration
from watchdog.health import Pulse, check, write_health
from watchdog.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (
        "BOT_TOKEN",
        "WATCHDOG_TOKEN",
        "ADMIN_CHAT_ID",
        "DOCKER_HOST",
        "DATA_DIR",
        "LOG_FORMAT",
        "LOG_LEVEL",
    ):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_only_a_token_of_its_own_may_poll(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("ADMIN_CHAT_ID", "-5")
    bare.setenv("BOT_TOKEN", "1:bot")
    settings = Settings(_env_file=None)
    assert (settings.sending_token, settings.may_poll) == ("1:bot", False)
    bare.setenv("WATCHDOG_TOKEN", "2:dog")
    settings = Settings(_env_file=None)
    assert (settings.sending_token, settings.may_poll) == ("2:dog", True)
    bare.setenv("WATCHDOG_TOKEN", "1:bot")
    assert not Settings(_env_file=None).may_poll
    assert "1:bot" not in repr(settings)


def test_tokens_may_come_from_files(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setenv("ADMIN_CHAT_ID", "5")
    (tmp_path / "bot").write_text("1:bot\n")
    bare.setenv("BOT_TOKEN_FILE", str(tmp_path / "bot"))
    settings = Settings(_env_file=None)
    assert (settings.sending_token, settings.may_poll) == ("1:bot", False)
    bare.setenv("WATCHDOG_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(ValidationError, match="no such file"):
        Settings(_env_file=None)


def test_missing_settings_are_named(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="ADMIN_CHAT_ID"):
        Settings(_env_file=None)
    bare.setenv("ADMIN_CHAT_ID", "5")
    with pytest.raises(ValidationError, match="WATCHDOG_TOKEN or BOT_TOKEN"):
        Settings(_env_file=None)


def test_lists_zone_and_report_time(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("ADMIN_CHAT_ID", "5")
    bare.setenv("BOT_TOKEN", "1:x")
    bare.setenv("WATCHDOG_EXPECTED", "bot, db ,")
    bare.setenv("WATCHDOG_REPORT_AT", "off")
    settings = Settings(_env_file=None)
    assert settings.expected == settings.judging_rules.expected == ("bot", "db")
    assert settings.report_at is None
    bare.setenv("WATCHDOG_TIMEZONE", "Mars/Base")
    with pytest.raises(ValidationError, match="WATCHDOG_TIMEZONE"):
        Settings(_env_file=None)


def test_health_needs_every_part_and_a_fresh_word(tmp_path: Path) -> None:
    pulse = Pulse({"stream": 10.0, "telegram": 20.0})
    pulse.beat("stream", 100.0)
    assert pulse.stale(105.0) == ("telegram",)
    pulse.beat("telegram", 100.0)
    assert pulse.stale(105.0) == ()
    assert pulse.stale(115.0) == ("stream",)
    path = tmp_path / "health.json"
    assert "no health file" in check(path, 100.0)
    write_health(path, (), 100.0)
    assert check(path, 130.0) == ""
    assert check(path, 200.0)
    write_health(path, ("telegram",), 200.0)
    assert "telegram" in check(path, 201.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("2h", 7200), ("1d12h", 129_600), ("2ч", 7200), ("forever", float("inf"))],
)
def test_durations_of_mutes(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["bot", "5", "h", "0m", "3x", "5mm", ""])
def test_what_is_no_duration(text: str) -> None:
    assert read_duration(text) is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_lean_aiogram_understands_telegram_in_a_third_of_the_memory() -> None:
    program = """
from watchdog.lean import import_aiogram
import_aiogram()
import watchdog.app
from aiogram.types import Update
update = {"update_id": 1, "message": {"message_id": 2, "date": 3, "chat": {"id": 4, "type": "private"},
    "text": "/mute", "entities": [{"type": "bot_command", "offset": 0, "length": 5}],
    "reply_to_message": {"message_id": 1, "date": 3, "chat": {"id": 4, "type": "private"},
        "voice": {"file_id": "a", "file_unique_id": "b", "duration": 3}}}}
message = Update.model_validate(update).message
assert message.entities[0].type == "bot_command" and message.reply_to_message.voice.duration == 3
from pathlib import Path
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 115
