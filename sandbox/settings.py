"""What `make run` is told from outside, and what it tells the bot; nobody else here reads the environment."""

import os
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox.server import DEFAULT_TOKEN
from sandbox.world import ADMIN_CHAT_ID


class RunSettings(BaseSettings):
    """Whether there is a token for Telegram."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    bot_token: SecretStr | None = None


def bot_environment(url: str, data_dir: Path, *, token: str = DEFAULT_TOKEN) -> dict[str, str]:
    """The environment of a bot process that plays in the sandbox at `url`."""
    return {
        **os.environ,  # noqa: TID251
        "BOT_TOKEN": token,
        "TELEGRAM_API_BASE": url,
        "TELEGRAM_LOCAL_API": "false",
        "ADMIN_CHAT_ID": str(ADMIN_CHAT_ID),
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": f"sqlite+aiosqlite:///{data_dir / 'bot.db'}",
        "LOG_FORMAT": "text",
        "PYTHONUNBUFFERED": "1",
    }
