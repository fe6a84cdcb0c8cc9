"""The engine's JSON, as dockerd 20.10 (API 1.41) was seen to answer."""

from typing import Any

import pytest

from watchdog.domain import Health, Identity, Scope
from watchdog.wire import read_event, read_inspection, seconds

COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}


def inspected(**state: Any) -> dict[str, Any]:
    usual = {
        "Status": "running", "ExitCode": 0, "Error": "", "OOMKilled": False,
        "StartedAt": "2026-11-25T13:58:04.212212525Z", "FinishedAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    return {
        "Id": "abc", "Name": "/bot", "Created": "2026-11-25T13:58:03.9Z", "RestartCount": 0,
        "State": {**usual, **state},
        "Config": {"Labels": None, "Healthcheck": {"Retries": 2}},
        "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
    }  # fmt: skip


def test_zero_time_is_no_time() -> None:
    assert seconds("0001-01-01T00:00:00Z") is None
    assert seconds("2026-11-25T13:58:04.212212525Z") == pytest.approx(1795615084.2122, abs=1e-4)
    assert seconds("2026-11-25T14:58:04.2+01:00") == pytest.approx(1795615084.2)
    assert seconds("nonsense") is None


def test_inspection_of_a_container_that_never_ended() -> None:
    seen = read_inspection(inspected(), Scope())
    assert seen is not None
    assert seen.finished_at is None
    assert (seen.who.name, seen.restart_policy, seen.health) == ("bot", "always", Health.NONE)


@pytest.mark.parametrize(
    ("status", "told", "streak", "health"),
    [
        ("running", "unhealthy", 2, Health.UNHEALTHY),
        ("running", "unhealthy", 0, Health.STARTING),  # just unpaused: no probe has said so
        ("paused", "unhealthy", 0, Health.STARTING),
        ("exited", "unhealthy", 5, Health.STARTING),  # the last value of a dead container
        ("running", "healthy", 0, Health.HEALTHY),
        ("running", "none", 0, Health.NONE),
    ],
)
def test_health_counts_only_while_running_and_probed(
    status: str, told: str, streak: int, health: Health
) -> None:
    raw = inspected(Status=status, Health={"Status": told, "FailingStreak": streak, "Log": []})
    seen = read_inspection(raw, Scope())
    assert seen is not None
    assert seen.health is health


def test_event_of_a_health_check() -> None:
    raw = {
        "Action": "health_status: unhealthy", "timeNano": 1795615085276436370,
        "Actor": {"ID": "abc", "Attributes": {"name": "bot"}},
    }  # fmt: skip
    event, time_ns = read_event(raw, Scope()) or pytest.fail("not read")
    assert (event.action, time_ns, event.who.key) == ("unhealthy", 1795615085276436370, "bot")


@pytest.mark.parametrize(
    ("name", "labels", "scope", "identity"),
    [
        ("/bot", {}, Scope(), Identity("bot", "bot")),
        ("shop_web_1", COMPOSE, Scope(), Identity("shop/web", "web")),
        ("0a1b2c_shop_web_1", COMPOSE, Scope(), Identity("shop/web", "web")),
        (
            "x",
            {**COMPOSE, "com.docker.compose.container-number": "2"},
            Scope(),
            Identity("shop/web/2", "web-2"),
        ),
        (
            "run1",
            {**COMPOSE, "com.docker.compose.oneoff": "True"},
            Scope(),
            Identity("run1", "run1", is_watched=False),
        ),
        ("bot", {"highlight.watch": "false"}, Scope(), Identity("bot", "bot", is_watched=False)),
        ("bot", {"highlight.watch": "expected"}, Scope(), Identity("bot", "bot", is_expected=True)),
        ("x", COMPOSE, Scope(expected=("web",)), Identity("shop/web", "web", is_expected=True)),
        ("x", COMPOSE, Scope(ignored=("w*",)), Identity("shop/web", "web", is_watched=False)),
        ("x", COMPOSE, Scope(project="other"), Identity("shop/web", "web", is_watched=False)),
        ("bot", {"highlight.watch": "true"}, Scope(ignored=("*",)), Identity("bot", "bot")),
    ],
)
def test_identity(name: str, labels: dict[str, str], scope: Scope, identity: Identity) -> None:
    assert scope.identify(name, labels) == identity
