"""The watchdog's settings: the only reader of its environment (and of `.env`)."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from watchdog.domain import Rules, Scope

Names = Annotated[tuple[str, ...], NoDecode]  # comma-separated in the environment


class Settings(BaseSettings):
    """A field is the variable WATCHDOG_<NAME>; those shared with the bot have no prefix."""

    model_config = SettingsConfigDict(
        env_file=".env", env_prefix="WATCHDOG_", extra="ignore", frozen=True, populate_by_name=True
    )

    # Two processes must not poll for the same bot (409 Conflict): without a token of its own the watchdog
    # only sends, through the bot's token, and its commands are not available.
    token: SecretStr | None = None
    token_file: Path | None = None  # a file with the token, as Docker's secrets come
    bot_token: SecretStr | None = Field(None, validation_alias="BOT_TOKEN")
    bot_token_file: Path | None = Field(None, validation_alias="BOT_TOKEN_FILE")
    admin_chat_id: int = Field(validation_alias="ADMIN_CHAT_ID")
    telegram_api_base: str = Field("https://api.telegram.org", validation_alias="TELEGRAM_API_BASE")
    docker_host: str = Field("unix:///var/run/docker.sock", validation_alias="DOCKER_HOST")
    data_dir: Path = Field(Path("var"), validation_alias="DATA_DIR")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="LOG_LEVEL")
    log_format: Literal["text", "json"] = Field("text", validation_alias="LOG_FORMAT")

    language: Literal["en", "ru"] = "en"
    timezone: str = "UTC"
    report_at: time | None = time(9, 0)  # "off": no daily report
    heartbeat_url: SecretStr | None = None
    project: str = ""  # only this compose project
    expected: Names = ()  # names or services that must exist
    ignored: Names = ()  # patterns of names or services
    log_lines: int = Field(12, ge=0, le=50)
    group_s: float = Field(10.0, ge=0)
    edit_gap_s: float = Field(3.0, ge=0)  # between two edits of one message
    reconcile_s: float = Field(45.0, gt=0)
    stable_s: float = Field(60.0, gt=0)
    planned_grace_s: float = Field(45.0, ge=0)
    # How long one event stream stays open. A stream that ends on time proves that it was alive; one that does
    # not end was half-open.
    stream_window_s: float = Field(30.0, gt=0)
    tick_s: float = Field(1.0, gt=0)
    rules: Rules | None = None  # the judge's patience in full, for tests

    @field_validator("expected", "ignored", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(name.strip() for name in value.split(",") if name.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("report_at", mode="before")
    @classmethod
    def _allow_off(cls, value: object) -> object:
        return None if value in ("", "off", "none") else value

    @field_validator("token", "token_file", "bot_token", "bot_token_file", "heartbeat_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("token_file", "bot_token_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no such file: {value}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError(
                f"WATCHDOG_TIMEZONE: unknown time zone {value!r}, for example Europe/Berlin"
            ) from exc
        return value

    @model_validator(mode="after")
    def _need_a_token(self) -> Self:
        if not self.sending_token:
            raise ValueError("WATCHDOG_TOKEN or BOT_TOKEN must be set")
        return self

    @property
    def own_token(self) -> str:
        """The watchdog's own token; empty without one."""
        return _secret(self.token, self.token_file)

    @property
    def sending_token(self) -> str:
        """The token to send with: its own, else the bot's."""
        return self.own_token or _secret(self.bot_token, self.bot_token_file)

    @property
    def may_poll(self) -> bool:
        """Commands need updates, and only one process may ask for a bot's updates."""
        return bool(self.own_token) and self.own_token != _secret(self.bot_token, self.bot_token_file)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def scope(self) -> Scope:
        return Scope(self.project, self.ignored, self.expected)

    @property
    def judging_rules(self) -> Rules:
        if self.rules is not None:
            return self.rules
        return Rules(stable_s=self.stable_s, planned_grace_s=self.planned_grace_s, expected=self.expected)


def _secret(value: SecretStr | None, file: Path | None) -> str:
    if value is not None:
        return value.get_secret_value()
    return "" if file is None else file.read_text().strip()
