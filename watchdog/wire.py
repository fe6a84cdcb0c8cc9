"""What the engine's JSON means: events and inspections as the watchdog's own nouns. Pure."""

from datetime import datetime
from typing import Any

from watchdog.domain import ContainerEvent, Health, Inspection, Scope

DEFAULT_RETRIES = 3  # of a health check that names no number


def read_event(raw: dict[str, Any], scope: Scope) -> tuple[ContainerEvent, int] | None:
    """One line of the event stream and its timeNano; None for a container that is not watched."""
    attributes: dict[str, str] = raw["Actor"].get("Attributes") or {}
    who = scope.identify(attributes.get("name", ""), attributes)
    if not who.is_watched:
        return None
    action = str(raw["Action"])
    if action.startswith("health_status"):
        action = action.partition(":")[2].strip()
    time_ns = int(raw["timeNano"])
    event = ContainerEvent(
        time_ns / 1e9,
        action,
        raw["Actor"]["ID"],
        who,
        exit_code=_int(attributes.get("exitCode")),
        signal=_int(attributes.get("signal")),
    )
    return event, time_ns


def read_inspection(raw: dict[str, Any], scope: Scope) -> Inspection | None:
    """The answer to `inspect`, cut down to what is judged; None for a container that is not watched."""
    state, config, host = raw["State"], raw["Config"], raw["HostConfig"]
    who = scope.identify(raw["Name"], config.get("Labels") or {})
    if not who.is_watched:
        return None
    return Inspection(
        container_id=raw["Id"],
        who=who,
        status=state["Status"],
        created_at=seconds(raw["Created"]) or 0.0,
        started_at=seconds(state["StartedAt"]),
        finished_at=seconds(state["FinishedAt"]),
        exit_code=int(state["ExitCode"]),
        error=state.get("Error") or "",
        oom_flag=bool(state.get("OOMKilled")),
        restart_count=int(raw.get("RestartCount") or 0),
        restart_policy=(host.get("RestartPolicy") or {}).get("Name") or "",
        health=_health(state, config),
    )


def _health(state: dict[str, Any], config: dict[str, Any]) -> Health:
    """The health that counts: only while running, and only as far as probes have really said it.

    The engine sets `unhealthy` whenever it stops probing (pause, exit) and leaves it so until the next probe
    after `unpause`; the failing streak tells that from a verdict.
    """
    told = state.get("Health")
    if not told or told.get("Status") in (None, "", "none"):
        return Health.NONE
    if state["Status"] != "running":
        return Health.STARTING
    if told["Status"] == "unhealthy":
        retries = (config.get("Healthcheck") or {}).get("Retries") or DEFAULT_RETRIES
        return Health.UNHEALTHY if told.get("FailingStreak", 0) >= retries else Health.STARTING
    return Health(told["Status"])


def seconds(stamp: str) -> float | None:
    """An RFC 3339 time with up to nine decimals; None for the engine's zero time and for anything else."""
    head, _, rest = stamp.partition(".")
    digits = rest.rstrip("Z").partition("+")[0].partition("-")[0]
    zone = rest[len(digits) :] if rest else ""
    try:
        whole = datetime.fromisoformat((head + zone) if rest else stamp)
    except ValueError:
        return None
    if whole.year <= 1 or whole.tzinfo is None:
        return None
    return whole.timestamp() + (float(f"0.{digits}") if digits else 0.0)


def _int(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None
