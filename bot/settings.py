"""The bot process's settings: the only reader of its environment. Read once in `__main__`, passed down as
arguments.
"""

import re
from datetime import time
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

MIB = 1024 * 1024


class SettingsError(Exception):
    """A variable is missing or wrong; the message names it and what is expected."""


class FromFiles(PydanticBaseSettingsSource):
    """`BOT_TOKEN_FILE=/run/secrets/bot_token` for BOT_TOKEN, and so for every setting.

    Secrets then stay out of the environment, which `docker inspect` shows to everybody who may look.
    """

    def __init__(self, settings_cls: type[BaseSettings], *environments: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._variables: dict[str, str | None] = {}
        for source in environments:
            if isinstance(source, EnvSettingsSource):
                self._variables.update(source.env_vars)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        path = self._variables.get(f"{field_name}_file")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text().strip(), field_name, False
        except OSError as exc:
            raise SettingsError(f"{field_name.upper()}_FILE: {path}: {exc.strerror}") from exc

    def __call__(self) -> dict[str, Any]:
        found = (
            (name, self.get_field_value(f, name)[0]) for name, f in self.settings_cls.model_fields.items()
        )
        return {name: value for name, value in found if value is not None}


class DatabaseSettings(BaseSettings):
    """The part that migrations need: they run without a token."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    data_dir: Path = Path("var")
    database_url: str = Field(default="", description="SQLAlchemy URL; empty: SQLite in DATA_DIR")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = FromFiles(settings_cls, dotenv_settings, env_settings)
        return init_settings, env_settings, dotenv_settings, files

    @property
    def backups(self) -> Path:
        return self.data_dir / "backups"

    @property
    def work(self) -> Path:
        """Where tracks lie while they are worked on: a disk, since /tmp may be memory and a track 2 GB."""
        return (self.data_dir / "work").resolve()  # orders to workers elsewhere tell files by whole paths

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

    queue: Literal["local", "taskiq"] = Field(
        default="local", description="taskiq: workers elsewhere, by Redis"
    )
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    queue_in_flight: int = Field(
        default=32, ge=1, description="orders that one front end has with the workers"
    )

    webhook_url: str = Field(default="", description="https://...; empty: long polling")
    webhook_secret: SecretStr | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(
        default=0, ge=0, le=65535, description="/healthz, /metrics, webhook; 0: none of them"
    )

    tz: str = Field(default="UTC", description="time zone of what runs by the clock")
    backup_at: time | None = Field(
        default=time(4, 30), description="nightly copy of the SQLite file; off: none"
    )
    backup_keep: int = Field(default=7, ge=1)
    docker_host: str = Field(default="unix:///var/run/docker.sock", description="for `check` only")

    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("bot_token")
    @classmethod
    def _looks_like_a_token(cls, token: SecretStr) -> SecretStr:
        number, _, secret = token.get_secret_value().partition(":")
        if not (number.isdigit() and secret):
            raise ValueError("expected the form 123456:ABC..., as @BotFather gives it")
        return token

    @field_validator("backup_at", mode="before")
    @classmethod
    def _allow_off(cls, value: object) -> object:
        return None if value in ("off", "none") else value

    @field_validator("tz")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (LookupError, ValueError, OSError) as exc:
            raise ValueError("unknown time zone; expected a name like Europe/Berlin") from exc
        return name

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> Self:
        if not self.webhook_url:
            return self
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", secret):
            raise ValueError("WEBHOOK_URL needs WEBHOOK_SECRET: 16 to 256 random letters, digits, - and _")
        if not self.http_port:
            raise ValueError("WEBHOOK_URL needs HTTP_PORT: where the proxy hands Telegram's calls on")
        return self

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
            "".join(f"{part}: ".upper() for part in error["loc"])
            + ("not set" if error["type"] == "missing" else error["msg"].removeprefix("Value error, "))
            for error in exc.errors(include_input=False)
        ]
        raise SettingsError("; ".join(problems)) from None
