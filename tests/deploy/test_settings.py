"""Configuration from the environment, from `.env` and from secret files."""

from pathlib import Path

import pytest

from bot.settings import SettingsError, load_settings

TOKEN = "123456:" + "A" * 35


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine, no `.env` of the checkout."""
    for name in ("BOT_TOKEN", "BOT_TOKEN_FILE", "WEBHOOK_URL", "TZ", "DATABASE_URL", "QUEUE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_two_lines_are_a_whole_configuration(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"BOT_TOKEN={TOKEN}\nADMIN_CHAT_ID=-100\n")
    settings = load_settings()
    assert settings.bot_token.get_secret_value() == TOKEN
    assert (settings.admin_chat_id, settings.queue, settings.http_port) == (-100, "local", 0)


def test_example_file_is_a_valid_configuration_once_the_token_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    (tmp_path / ".env").write_text(example)
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    assert load_settings().admin_chat_id is None


def test_token_may_come_from_a_file_named_in_the_environment_or_dot_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(TOKEN + "\n")
    (tmp_path / ".env").write_text(f"BOT_TOKEN=\nBOT_TOKEN_FILE={tmp_path / 'secret'}\n")
    assert load_settings().bot_token.get_secret_value() == TOKEN
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("BOT_TOKEN_FILE", str(tmp_path / "secret"))
    assert load_settings().bot_token.get_secret_value() == TOKEN


def test_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOT_TOKEN_FILE", str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match=r"BOT_TOKEN_FILE: .*absent: No such file"):
        load_settings()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "BOT_TOKEN: not set"),
        ({"BOT_TOKEN": "hello"}, "BOT_TOKEN: expected the form"),
        ({"BOT_TOKEN": TOKEN, "TZ": "Mars/Olympus"}, "TZ: unknown time zone"),
        ({"BOT_TOKEN": TOKEN, "QUEUE": "kafka"}, "QUEUE: .*local.*taskiq"),
        ({"BOT_TOKEN": TOKEN, "WEBHOOK_URL": "https://bot.example.org/telegram"}, "needs WEBHOOK_SECRET"),
    ],
)
def test_wrong_variable_is_named_without_its_value(
    variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=named) as caught:
        load_settings()
    assert TOKEN not in str(caught.value)
