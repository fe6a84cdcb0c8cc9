"""The environment, read once; and a log that keeps secrets."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from bot.logs import Redacting, log_context
from bot.settings import Settings, SettingsError, load_settings

TOKEN = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake_fak"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env` of the developer's, none of the bot's variables."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_missing_token_is_named() -> None:
    with pytest.raises(SettingsError, match="BOT_TOKEN: not set"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("BOT_TOKEN", "not-a-token-9876"), ("WORKERS", "many-9876"), ("LOG_LEVEL", "loud-9876")],
)
def test_a_wrong_value_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as error:
        load_settings()
    assert "9876" not in str(error.value)


def test_a_dotenv_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"BOT_TOKEN={TOKEN}\nWORKERS=3\nADMIN_CHAT_ID=\nLOG_LEVEL=ERROR\n")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    settings = load_settings()
    assert (settings.workers, settings.admin_chat_id, settings.log_level) == (3, None, "DEBUG")
    assert settings.database == "sqlite+aiosqlite:///var/bot.db"
    assert TOKEN not in repr(settings)


def test_a_start_without_a_token_ends_with_one_line(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=tmp_path,
        env={"PYTHONPATH": root, "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "Cannot start: BOT_TOKEN: not set\n"


@pytest.mark.parametrize("as_json", [True, False])
def test_no_token_reaches_the_log_not_even_in_a_traceback(as_json: bool) -> None:
    formatter = Redacting("987654321:secret", as_json=as_json)
    try:
        raise OSError(f"https://api.telegram.org/bot{TOKEN}/getMe")
    except OSError:
        record = logging.LogRecord("x", 20, "x", 1, "asked %s", ("987654321:secret",), sys.exc_info())
    line = formatter.format(record)
    assert "secret" not in line
    assert "AAFake" not in line
    assert "<token>" in line


def test_a_line_carries_the_job_it_belongs_to() -> None:
    record = logging.LogRecord("bot.x", logging.INFO, "x", 1, "answered", (), None)
    record.elapsed_ms = 5
    with log_context(job_id=7):
        entry = json.loads(Redacting("", as_json=True).format(record))
    assert {key: entry[key] for key in ("message", "job_id", "elapsed_ms", "level")} == {
        "message": "answered",
        "job_id": 7,
        "elapsed_ms": 5,
        "level": "INFO",
    }


@pytest.mark.slow
def test_the_bot_process_loads_no_audio_stack() -> None:
    heavy = ("numpy", "librosa", "onnxruntime", "av", "scipy", "matplotlib")
    program = f"import sys, bot.app; print([m for m in {heavy} if m in sys.modules])"
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_work_folder_is_a_whole_path_whatever_data_dir_says() -> None:
    """Orders to workers elsewhere recognise files by that."""
    settings = Settings.model_validate({"bot_token": "1:x", "data_dir": "var"})
    assert settings.work.is_absolute()
