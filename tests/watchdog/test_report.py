"""Availability from turns, and the picture that shows it."""

import io
import itertools
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from watchdog.domain import ENGINE_KEY
from watchdog.incidents import Fact, Incident, Kind, Standing, Turn
from watchdog.picture import COLOURS, LEFT, RIGHT, TOP, WIDTH, draw_report, percent
from watchdog.report import summarise
from watchdog.state import WatchState
from watchdog.status import tell_report, tell_status

DAY = 86_400.0
START = 1_800_000_000.0


def test_availability_counts_only_wanted_and_seen_time() -> None:
    turns = [
        Turn("bot", START - 5, Standing.UP),
        Turn("bot", START + 100, Standing.DOWN),
        Turn("bot", START + 110, Standing.UP),
        Turn("bot", START + 500, Standing.OFF),
        Turn("bot", START + 600, Standing.UP),
        Turn(ENGINE_KEY, START + 700, Standing.BLIND),
        Turn(ENGINE_KEY, START + 800, Standing.UP),
    ]
    report = summarise(turns, [], START, START + 1000)
    (record,) = report.records
    assert report.blind_s == 100
    assert record.seconds(Standing.UP) == 790
    assert record.seconds(Standing.OFF) == 100
    assert record.availability == pytest.approx(790 / 800)


def test_crash_of_a_moment_is_not_rounded_away() -> None:
    assert percent(1 - 0.4 / DAY) == "99.99 %"
    assert percent(1.0) == "100 %"


def test_worst_container_comes_first_and_idle_ones_are_left_out() -> None:
    turns = [
        Turn("good", START, Standing.UP),
        Turn("bad", START, Standing.DOWN),
        Turn("idle", START, Standing.OFF),
    ]
    facts = (Fact(START, "oom", 137), Fact(START + 9, "died", 1))
    incidents = [Incident(1, "bad", "bad", Kind.RESTART_LOOP, START, facts, n_deaths=7)]
    report = summarise(turns, incidents, START, START + DAY)
    assert [record.key for record in report.records] == ["bad", "good"]
    assert (report.records[0].n_crashes, report.records[0].n_ooms) == (7, 1)


@given(
    st.lists(
        st.tuples(st.floats(0, 1000), st.sampled_from([Standing.UP, Standing.DOWN, Standing.OFF])), min_size=1
    ),
    st.lists(st.floats(0, 1000), max_size=6, unique=True),
)
def test_spans_cover_the_time_exactly_once(turns: list[tuple[float, Standing]], dark: list[float]) -> None:
    known = [Turn("bot", 0.0, Standing.UP), *(Turn("bot", at, standing) for at, standing in sorted(turns))]
    blind = [
        Turn(ENGINE_KEY, at, Standing.BLIND if n % 2 == 0 else Standing.UP)
        for n, at in enumerate(sorted(dark))
    ]
    report = summarise(sorted(known + blind, key=lambda turn: turn.at), [], 0.0, 1000.0)
    for record in report.records:
        spans = record.spans
        assert spans[0].start == 0.0
        assert spans[-1].end == 1000.0
        assert all(left.end == right.start for left, right in itertools.pairwise(spans))
        assert record.seconds(Standing.BLIND) == pytest.approx(report.blind_s)


def test_picture_shows_each_standing_where_it_was() -> None:
    turns = [
        Turn("web", START, Standing.UP),
        Turn("web", START + DAY / 2, Standing.DOWN),
        Turn("web", START + DAY / 2 + 0.4, Standing.UP),
        Turn(ENGINE_KEY, START + DAY * 0.75, Standing.BLIND),
    ]
    png = draw_report(summarise(turns, [], START, START + DAY), ZoneInfo("Europe/Berlin"))
    image = Image.open(io.BytesIO(png)).convert("RGB")
    row = TOP + 22
    colours = ["#{:02x}{:02x}{:02x}".format(*image.getpixel((x, row))) for x in range(LEFT, WIDTH - RIGHT)]
    width = len(colours)
    assert colours[width // 4] == COLOURS[Standing.UP]
    assert colours[int(width * 0.9)] == COLOURS[Standing.BLIND]
    assert COLOURS[Standing.DOWN] in colours[width // 2 - 1 : width // 2 + 4], "0.4 s in a day are visible"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_report_and_status_have_words_for_nothing(make_teller: Any, language: str) -> None:
    teller = make_teller(language)
    report = summarise([], [], START, START + DAY)
    assert len(tell_report(teller, report).splitlines()) == 3
    assert draw_report(report, ZoneInfo("UTC")).startswith(b"\x89PNG")
    assert len(tell_status(teller, WatchState(), {}, [], START).splitlines()) == 2
