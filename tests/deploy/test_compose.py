"""What the shipped compose file promises, read from the file itself."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import Settings as BotSettings
from watchdog.settings import Settings as WatchdogSettings

ROOT = Path(__file__).parents[2]
OURS = ("bot", "worker", "watchdog", "socket-proxy")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_default_stack_is_bot_watchdog_and_proxy(compose: dict[str, Any]) -> None:
    default = {name for name, service in compose["services"].items() if "profiles" not in service}
    assert default == {"bot", "watchdog", "socket-proxy"}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_they_do_not_need(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_container_is_bounded_and_comes_back(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == "always", name
        assert "mem_limit" in service, name
        assert service["logging"]["options"]["max-size"], name


def test_only_the_proxy_holds_the_engine_socket_and_only_the_watchdog_reaches_it(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert [n for n, s in services.items() if "docker.sock" in str(s.get("volumes"))] == ["socket-proxy"]
    assert [n for n, s in services.items() if "engine" in s.get("networks", [])] == [
        "watchdog",
        "socket-proxy",
    ]
    assert compose["networks"]["engine"]["internal"] is True


def test_every_volume_that_is_used_is_declared(compose: dict[str, Any]) -> None:
    mounts = {v.split(":")[0] for s in compose["services"].values() for v in s.get("volumes", [])}
    named = {source for source in mounts if not source.startswith((".", "/", "$"))}
    assert named == set(compose["volumes"])


def test_every_variable_of_the_compose_file_is_explained_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    example = (ROOT / ".env.example").read_text()
    assert {name for name in used if not re.search(rf"^#? ?{name}=", example, re.MULTILINE)} == set()


def test_every_line_of_the_example_is_known_to_somebody_and_written_once() -> None:
    names = re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(set(names))
    compose_file = (ROOT / "docker-compose.yml").read_text()
    bot = {name.upper() for name in BotSettings.model_fields}
    watchdog = {f"WATCHDOG_{name.upper()}" for name in WatchdogSettings.model_fields}
    of_the_shell = {"COMPOSE_PROFILES", "WEBHOOK_HOST"}
    unknown = {name for name in names if name not in bot | watchdog | of_the_shell}
    assert {
        name for name in unknown if f"${{{name}" not in compose_file and f"- {name}" not in compose_file
    } == set()


def test_image_context_leaves_secrets_and_the_working_tree_out() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not any(
        rule.startswith("!") and (".env" in rule or "tests" in rule or "var" in rule) for rule in rules
    )
