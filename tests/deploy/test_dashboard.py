"""The Grafana dashboard and the Prometheus file speak of metrics and services that exist."""

import json
import re
from pathlib import Path

import yaml

from bot.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
SUFFIXES = re.compile(r"_(bucket|count|sum|total)$")


def test_dashboard_asks_only_for_metrics_that_the_bot_offers() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for text in expressions for name in re.findall(r"\b(?:highlight|process)_\w+", text)}
    offered = {metric.name for metric in Metrics().registry.collect()}
    assert {SUFFIXES.sub("", name) for name in asked} - offered == set()
    unseen = {name for name in offered if name.startswith("highlight_")} - {
        SUFFIXES.sub("", n) for n in asked
    }
    assert unseen == set()


def test_prometheus_asks_the_services_that_answer() -> None:
    [job] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    [discovery] = job["dns_sd_configs"]
    assert set(discovery["names"]) <= set(services)
    assert {str(services[name]["environment"]["HTTP_PORT"]) for name in discovery["names"]} == {
        str(discovery["port"])
    }
