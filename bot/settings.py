"""The bot process's settings: the only reader of its environment. Read once in `__main__`, passed down as
arguments.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class SettingsError(Exception):
    """A variable is missing or wrong; the message names it and what is expected."""


class DatabaseSettings(BaseSettings):
    """The part that migrations need: they run without a token."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    data_dir: Path = Path("var")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in DATA_DIR")

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'bot.db'}"


class Settings(DatabaseSettings):
    """Everything the bot process is told from outside."""

    bot_token: SecretStr
    telegram_api_base: str = "https://api.telegram.org"
    telegram_local_api: bool = Field(default=False, description="own Bot API server with --local: 2 GB files")
    admin_chat_id: int | None = None

    workers: int = Field(default=0, ge=0, description="audio worker processes; 0: one per core")
    max_track_minutes: float = Field(default=180.0, gt=0)
    user_queue_limit: int = Field(default=20, ge=1, description="unfinished tracks one user may have")
    user_parallel: int = Field(default=2, ge=1, description="tracks of one user in work at once")
    queue_limit: int = Field(default=1000, ge=1, description="unfinished tracks of everybody")
    grace_s: float = Field(default=20.0, ge=0, description="for running jobs after SIGTERM")

    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("bot_token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr) -> SecretStr:
        number, _, secret = token.get_secret_value().partition(":")
        if not (number.isdigit() and secret):
            raise ValueError("expected the form 123456:ABC..., as @BotFather gives it")
        return token

    @property
    def max_download_bytes(self) -> int:
        """The cloud Bot API serves files up to 20 MiB; a local server has no limit of its own."""
        return 2000 * MIB if self.telegram_local_api else 20 * MIB


def load_settings() -> Settings:
    """Read environment and `.env`. Raises SettingsError naming each variable at fault, never its value."""
    try:
        return Settings()
    except ValidationError as exc:
        problems = [
            f"{'_'.join(map(str, error['loc'])).upper()}: "
            + ("not set" if error["type"] == "missing" else error["msg"].removeprefix("Value error, "))
            for error in exc.errors(include_input=False)
        ]
        raise SettingsError("; ".join(problems)) from None
