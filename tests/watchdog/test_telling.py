"""Words in both languages, escaped, short enough, the same for the same incident."""

import re
from dataclasses import replace
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.incidents import Fact, Incident, Kind, Outcome
from watchdog.store import Filed
from watchdog.telling import MAX_TEXT, Teller
from watchdog.words import EXIT_CODES, FACTS, KINDS, OUTCOMES, SAYINGS

AT = 1_800_000_000.0
CRASH = Incident(1, "bot", "bot", Kind.CRASHED, AT, (Fact(AT, "died", 1),))


@pytest.fixture(params=["en", "ru"])
def teller(request: pytest.FixtureRequest, make_teller: Any) -> Teller:
    return make_teller(request.param)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("words", [KINDS, OUTCOMES, FACTS, EXIT_CODES, SAYINGS])
def test_both_languages_say_the_same_things(words: dict[Any, dict[Any, str]]) -> None:
    assert words["en"].keys() == words["ru"].keys()
    for key, sentence in words["en"].items():
        assert fields(sentence) == fields(words["ru"][key]), key


def test_every_kind_and_outcome_has_words(teller: Teller) -> None:
    for kind in Kind:
        for outcome in [None, *Outcome]:
            closed_at = None if outcome is None else AT + 61
            line = teller.headline(replace(CRASH, kind=kind, outcome=outcome, closed_at=closed_at))
            assert "<b>bot</b>" in line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0.4 s"), (9.9, "9.9 s"), (65, "1 min 5 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (119.6, "2 min")],
)
def test_durations(make_teller: Any, seconds: float, words: str) -> None:
    assert make_teller("en").duration(seconds) == words


@pytest.mark.parametrize(
    ("code", "words"), [(137, "not for memory"), (127, "not found"), (3, "own code"), (128 + 34, "signal 34")]
)
def test_exit_codes(make_teller: Any, code: int, words: str) -> None:
    assert words in make_teller("en").exit_code(code)


def test_logs_are_escaped_and_their_end_is_kept(teller: Teller) -> None:
    evidence = "\n".join(f"line {n} <b>&amp;" for n in range(3000)) + "\nthe end\x1b[0m"
    text = teller.card("", [Filed(CRASH, evidence, 1, False)])
    assert len(text) <= MAX_TEXT
    assert "the end\ufffd[0m</pre>" in text
    assert "<b>&amp;amp;" not in text
    assert "&lt;b&gt;&amp;amp;" in text


@given(st.text(), st.text(min_size=1), st.integers(1, 60))
def test_any_name_and_log_make_valid_html_within_the_limit(log: str, title: str, n: int) -> None:
    from zoneinfo import ZoneInfo

    incident = replace(CRASH, title=title, facts=(Fact(AT, "start_failed", 127, log),))
    text = Teller("ru", ZoneInfo("UTC")).card("", [Filed(incident, log * 50, 1, False)] * n)
    assert len(text) <= MAX_TEXT
    bare = re.sub(r"</?(b|pre)>", "", text)
    assert "<" not in bare
    assert text.count("<b>") == text.count("</b>")
    assert text.count("<pre>") == text.count("</pre>")


def test_many_incidents_shrink_to_headlines(teller: Teller) -> None:
    filed = [Filed(replace(CRASH, id=n, title=f"box{n}"), "log " * 100, 1, False) for n in range(20)]
    text = teller.card("", filed)
    assert all(f"box{n}</b>" in text for n in range(20))
    assert "<pre>" not in text


def test_engine_outage_counts_who_came_back(make_teller: Any) -> None:
    outage = Incident(
        1, "docker engine", "docker engine", Kind.ENGINE_GONE, AT, (Fact(AT, "engine_gone"),),
        closed_at=AT + 90, back_at=AT + 60, outcome=Outcome.RETURNED, n_back=3, not_back=("web", "db"),
    )  # fmt: skip
    text = make_teller("en").card("", [Filed(outage, "", 1, False)])
    assert text.startswith("🟠 <b>Docker engine</b> does not answer → back after 1 min")
    assert "3 containers are back.\n2 did not return: web, db" in text
