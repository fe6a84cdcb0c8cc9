"""Each measured fact about the engine, as a question to the judge."""

import itertools
from typing import Any

import pytest

from watchdog.domain import ENGINE_KEY, Gap, Health, Rules
from watchdog.incidents import ChangeType, Kind, Outcome, Standing

Scene = Any  # the class lives in conftest


def test_stop_by_hand_is_told_quietly_after_the_grace(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("kill:15", "die:0", "stop")
    assert not scene.wait(scene.rules.planned_grace_s - 1)
    scene.wait(2)
    assert scene.kinds() == [Kind.STOPPED]
    assert scene.last().kind.is_quiet


def test_stop_that_needs_sigkill_is_still_on_purpose(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("kill:15", "kill:9", "die:137", "stop")
    scene.wait(100)
    assert scene.kinds() == [Kind.STOPPED]


def test_slow_stop_is_on_purpose_although_the_signal_was_long_ago(scene: Scene) -> None:
    scene.baseline("bot")
    scene.event("kill", signal=15)
    scene.wait(scene.rules.intent_window_s + 200)
    scene.events("die:0", "stop")
    scene.wait(100)
    assert scene.kinds() == [Kind.STOPPED]


def test_planned_restart_is_not_told(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("kill:15", "die:143", "stop", "start", "restart")
    scene.wait(600)
    assert not scene.changes


def test_reload_signal_does_not_excuse_a_later_crash(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("kill:1", "die:1")
    scene.wait(5)
    assert scene.kinds() == [Kind.CRASHED]


def test_crash_just_before_a_restart_by_hand_is_told(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("die:1", "start", "kill:15", "die:143", "stop", "start", "restart")
    scene.wait(5)
    assert scene.kinds() == [Kind.CRASHED]


def test_outside_kill_is_a_crash_and_not_oom(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("die:137")
    scene.wait(5)
    assert scene.kinds() == [Kind.CRASHED]
    assert scene.last().facts[0].exit_code == 137


@pytest.mark.parametrize("order", [("oom", "die:137"), ("die:137", "oom")])
def test_oom_of_pid_1_in_either_order(scene: Scene, order: tuple[str, str]) -> None:
    scene.baseline("bot")
    scene.events(*order)
    scene.wait(5)
    assert scene.kinds() == [Kind.OOM]


@pytest.mark.parametrize("is_up_again", [False, True])
def test_oom_that_the_engine_reports_late_corrects_what_was_told(scene: Scene, is_up_again: bool) -> None:
    scene.baseline("bot")
    scene.events("die:137", *(["start"] if is_up_again else []))
    scene.wait(3)
    assert scene.kinds() == [Kind.CRASHED]
    scene.event("oom")
    scene.wait(5)
    assert scene.kinds() == [Kind.OOM], "one incident, corrected; nothing about a child"
    assert [fact.code for fact in scene.last().facts if fact.exit_code] == ["oom"]


def test_oom_long_after_a_kill_is_of_a_child(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("die:137", "start")
    scene.wait(10)
    scene.event("oom")
    scene.wait(5)
    assert scene.last().kind is Kind.OOM_CHILD


def test_oom_that_an_inspection_overtook_counts(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("die:137")
    scene.look(scene.seen("bot", status="exited", exit_code=137, finished_at=scene.now))
    scene.now -= 1
    scene.event("oom")
    scene.wait(5)
    assert scene.kinds() == [Kind.OOM]


def test_oom_of_a_run_that_is_history_says_nothing(scene: Scene) -> None:
    scene.baseline("bot")
    scene.now += 100
    scene.events("die:0", "start")
    scene.wait(60)
    n_known = len(scene.kinds())
    now, scene.now = scene.now, scene.now - 90
    scene.event("oom")
    scene.now = now
    scene.wait(5)
    assert Kind.OOM_CHILD not in scene.kinds()
    assert len(scene.kinds()) == n_known


def test_oom_of_a_child_is_one_incident_however_often(scene: Scene) -> None:
    scene.baseline("bot")
    for _ in range(3):
        scene.event("oom")
        scene.wait(10)
    assert scene.kinds() == [Kind.OOM_CHILD]
    scene.wait(scene.rules.stable_s)
    assert scene.closed()[0].outcome is Outcome.RECOVERED


def test_stale_oom_flag_of_a_running_container_says_nothing(scene: Scene) -> None:
    scene.baseline("bot")
    for _ in range(3):
        scene.wait(30)
        scene.look(scene.seen("bot", oom_flag=True))
    assert not scene.changes


def test_failed_start_is_told_with_the_engines_error_once(scene: Scene) -> None:
    scene.baseline()
    scene.event("create")
    broken = scene.seen("bot", status="created", exit_code=127, error="no such file", started_at=None)
    scene.wait(2)
    scene.look(broken, is_complete=False)
    scene.wait(30)
    scene.look(broken)
    assert scene.kinds() == [Kind.START_FAILED]
    assert scene.last().facts[0].detail == "no such file"
    scene.event("destroy")
    scene.wait(100)
    assert scene.closed()[0].outcome is Outcome.REMOVED
    assert len(scene.opened()) == 1


def test_fast_crashes_that_polling_missed_show_in_the_restart_count(scene: Scene) -> None:
    scene.baseline("bot")
    scene.wait(45)
    started = scene.now - 10
    seen = scene.seen(
        "bot", restart_count=1, started_at=started, finished_at=started - 0.4, restart_policy="always"
    )
    scene.look(seen)
    scene.wait(2)
    assert scene.kinds() == [Kind.CRASHED]
    assert scene.last().facts[0].is_unseen
    scene.wait(scene.rules.stable_s)
    assert scene.closed()[0].back_at == pytest.approx(started)


def test_crashes_heard_of_are_not_counted_again_from_the_restart_count(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("die:1", "start")
    started = scene.now
    scene.wait(10)
    scene.look(scene.seen("bot", restart_count=1, started_at=started - 0.1, restart_policy="always"))
    scene.wait(10)
    assert scene.last().n_deaths == 1


def test_restart_count_that_fell_to_zero_counts_from_there(scene: Scene) -> None:
    scene.look(scene.seen("bot", restart_count=5, restart_policy="always"))
    scene.events("kill:15", "die:0", "stop", "start")
    started = scene.now
    scene.wait(30)
    scene.look(scene.seen("bot", restart_count=0, started_at=started, restart_policy="always"))
    scene.wait(30)
    assert not scene.changes


def test_third_crash_within_ten_minutes_is_a_loop_in_the_same_incident(scene: Scene) -> None:
    scene.baseline("bot")
    for _ in range(4):
        scene.events("die:1", "start")
        scene.wait(20)
    assert scene.kinds() == [Kind.RESTART_LOOP]
    assert scene.last().n_deaths == 4
    scene.wait(scene.rules.loop_stable_s - 30)
    assert not scene.closed()
    scene.wait(40)
    assert scene.closed()[0].outcome is Outcome.RECOVERED


def test_three_crashes_over_an_hour_are_no_loop(scene: Scene) -> None:
    scene.baseline("bot")
    for _ in range(3):
        scene.events("die:1", "start")
        scene.wait(1200)
    assert scene.kinds() == [Kind.CRASHED] * 3


def test_stopping_a_loop_between_two_runs_closes_it(scene: Scene) -> None:
    scene.baseline("bot")
    for _ in range(3):
        scene.events("die:1", "start", "die:1")
        scene.wait(5)
    scene.event("stop")
    scene.wait(3)
    assert scene.closed()[0].outcome is Outcome.STOPPED


def test_recovered_only_after_a_stable_period(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("die:1", "start")
    scene.wait(scene.rules.stable_s - 5)
    scene.events("die:1", "start")
    back_at = scene.now
    scene.wait(scene.rules.stable_s - 5)
    assert not scene.closed()
    scene.wait(10)
    assert scene.closed()[0].back_at == pytest.approx(back_at)


def test_unhealthy_and_healthy_again(scene: Scene) -> None:
    scene.look(scene.seen("bot", health=Health.HEALTHY))
    scene.event("unhealthy")
    assert scene.kinds() == [Kind.UNHEALTHY]
    scene.event("healthy")
    assert scene.changes[-1].type is ChangeType.UPDATED
    scene.wait(scene.rules.stable_s + 1)
    assert scene.closed()[0].outcome is Outcome.RECOVERED


def test_paused_container_is_not_unhealthy(scene: Scene) -> None:
    scene.look(scene.seen("bot", health=Health.HEALTHY))
    scene.event("pause")
    scene.wait(30)
    scene.look(scene.seen("bot", status="paused", health=Health.UNHEALTHY))
    scene.event("unpause")
    scene.event("healthy")
    scene.wait(200)
    assert scene.kinds() == [Kind.PAUSED]
    assert scene.closed()[0].outcome is Outcome.RECOVERED


def test_killed_container_keeps_no_health_verdict(scene: Scene) -> None:
    scene.look(scene.seen("bot", health=Health.HEALTHY))
    scene.events("die:1")
    scene.wait(30)
    scene.look(
        scene.seen("bot", status="exited", exit_code=1, finished_at=scene.now - 30, health=Health.STARTING)
    )
    scene.wait(30)
    assert scene.kinds() == [Kind.CRASHED]


def test_snapshot_older_than_an_event_is_ignored(scene: Scene) -> None:
    scene.look(scene.seen("bot", health=Health.HEALTHY))
    scene.event("unhealthy")
    old = scene.now
    scene.wait(2)
    scene.event("healthy")
    scene.now, later = old + 1, scene.now
    scene.look(scene.seen("bot", health=Health.UNHEALTHY))
    scene.now = later
    assert [fact.code for fact in scene.last().facts] == ["unhealthy", "healthy"]


def test_removed_by_force_is_one_quiet_note(scene: Scene) -> None:
    scene.baseline("bot")
    scene.events("kill:9", "die:137", "destroy")
    scene.wait(100)
    assert scene.kinds() == [Kind.REMOVED]
    assert not scene.state.incidents


def test_recreated_under_the_same_key_is_not_told(scene: Scene) -> None:
    scene.baseline("shop/web")
    scene.event("create", "web", key="shop/web", container_id="new")
    for action, fields in (
        ("kill", {"signal": 15}),
        ("die", {"exit_code": 0}),
        ("stop", {}),
        ("destroy", {}),
    ):
        scene.event(action, "web", key="shop/web", container_id="id-shop/web", **fields)
    scene.wait(3)
    scene.event("start", "web", key="shop/web", container_id="new")
    scene.wait(300)
    assert not [incident for incident in scene.opened() if not incident.kind.is_quiet]
    assert not scene.opened()
    scene.event("die", "web", key="shop/web", container_id="new", exit_code=1)
    scene.wait(5)
    assert scene.kinds() == [Kind.CRASHED]


def test_incident_follows_a_renamed_container(scene: Scene) -> None:
    scene.baseline("old")
    scene.events("die:1", name="old")
    scene.wait(5)
    scene.event("rename", "new", container_id="id-old")
    scene.event("start", "new", container_id="id-old")
    scene.wait(100)
    assert len(scene.opened()) == 1
    assert scene.closed()[0].title == "new"


def test_expected_container_that_was_removed_is_missing(scene: Scene) -> None:
    scene.baseline()
    scene.event("create", is_expected=True)
    scene.event("start", is_expected=True)
    scene.wait(5)
    scene.events("kill:9", "die:137", "destroy")
    scene.wait(100)
    assert scene.kinds() == [Kind.MISSING]
    scene.event("create", is_expected=True, container_id="next")
    scene.event("start", is_expected=True, container_id="next")
    scene.wait(100)
    assert scene.closed()[0].outcome is Outcome.RECOVERED


def test_expected_container_that_never_came_is_missing(make_scene: Any) -> None:
    scene = make_scene(rules=Rules(expected=("bot",)))
    scene.baseline()
    scene.wait(100)
    assert scene.kinds() == [Kind.MISSING]
    scene.event("create")
    scene.event("start")
    scene.wait(5)
    assert scene.closed()[0].outcome is Outcome.RECOVERED


def test_task_that_ends_well_is_quiet_and_one_that_must_run_is_not(scene: Scene) -> None:
    scene.look(scene.seen("task"), scene.seen("bot", restart_policy="on-failure"), scene.seen("web"))
    scene.events("die:0", name="task")
    scene.wait(5)
    assert scene.kinds() == [Kind.FINISHED]


def test_first_look_is_silent_about_what_it_finds(scene: Scene) -> None:
    scene.look(
        scene.seen("a", status="exited", exit_code=1, finished_at=scene.now - 900),
        scene.seen("b", status="created", error="no such file", exit_code=127, started_at=None),
        scene.seen("c"),
    )
    scene.wait(300)
    assert not scene.changes


def test_engine_stop_is_one_incident_and_not_one_per_container(scene: Scene) -> None:
    names = ("a", "b", "c")
    scene.look(*(scene.seen(name, restart_policy="always") for name in names))
    for name in names:
        scene.events("kill:15", "die:0", "stop", name=name)
    scene.wait(4)  # the engine takes its time to go
    scene.lose_engine()
    scene.wait(60)
    assert scene.kinds() == [Kind.ENGINE_GONE]
    scene.regain_engine(Gap.RESTARTED)
    back = scene.now
    scene.look(
        scene.seen("a", started_at=back, restart_policy="always"),
        scene.seen("b", started_at=back, restart_policy="always"),
        scene.seen("c", status="exited", finished_at=back - 60, restart_policy="unless-stopped"),
    )
    scene.wait(100)
    assert scene.kinds() == [Kind.ENGINE_GONE, Kind.NOT_RETURNED]
    outage = scene.closed()[0]
    assert (outage.outcome, outage.n_back, outage.not_back) == (Outcome.RETURNED, 2, ("c",))
    assert [incident.key for incident in scene.state.incidents.values()] == ["c"]


def test_quick_engine_restart_is_noticed_by_its_interrupted_containers(scene: Scene) -> None:
    scene.look(scene.seen("a", restart_policy="always"))
    scene.lose_engine()
    scene.wait(2)
    scene.regain_engine(Gap.RESTARTED)
    scene.look(scene.seen("a", started_at=scene.now - 1, restart_policy="always"))
    scene.wait(3)
    assert scene.kinds() == [Kind.ENGINE_GONE]
    assert scene.closed()[0].n_back == 1


def test_live_restore_and_proxy_restarts_are_not_told(scene: Scene) -> None:
    scene.baseline("a")
    for gap in (Gap.RESTARTED, Gap.NONE, Gap.ROLLED):
        scene.lose_engine()
        scene.wait(3)
        scene.regain_engine(gap)
        scene.look(scene.seen("a"))
        scene.wait(60)
    assert not scene.changes


def test_crash_during_a_cut_line_is_judged_from_the_replay(scene: Scene) -> None:
    scene.baseline("a")
    scene.lose_engine()
    scene.wait(5)
    died = scene.now
    scene.wait(3)
    scene.regain_engine(Gap.NONE)
    scene.now = died
    scene.events("die:1", name="a")
    scene.wait(10)
    assert scene.kinds() == [Kind.CRASHED]
    assert not scene.last().facts[0].is_unseen


def test_reminders_come_at_growing_intervals_and_never_for_quiet_incidents(scene: Scene) -> None:
    scene.baseline("a", "b")
    scene.events("die:1", name="a")
    scene.events("kill:15", "die:0", "stop", name="b")
    start = scene.now
    scene.wait(24 * 3600, step=60)
    reminders = [change for change in scene.changes if change.type is ChangeType.REMINDER]
    assert {change.incident.key for change in reminders} == {"a"}
    at = [change.incident.next_reminder_at - start for change in reminders]
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert gaps == sorted(gaps)
    assert len(reminders) == 5  # after 15 min, and 1, 3, 6, 12 h more


def test_standings_follow_the_deaths_even_when_they_are_explained_later(scene: Scene) -> None:
    scene.baseline("a")
    scene.events("kill:15", "die:0", "stop", "start", name="a")
    scene.wait(5)
    latest = {turn.at: turn.standing for turn in scene.turns if turn.key == "a"}
    assert list(latest.values()) == [Standing.UP, Standing.OFF, Standing.UP]


def test_engine_unreachable_at_night_reminds_only_of_the_engine(scene: Scene) -> None:
    scene.baseline("a")
    scene.events("die:1", name="a")
    scene.wait(5)
    scene.lose_engine()
    scene.wait(5000, step=10)
    reminded = {change.incident.key for change in scene.changes if change.type is ChangeType.REMINDER}
    assert reminded == {ENGINE_KEY}


def test_restarted_engine_ends_what_its_crash_left_running(scene: Scene) -> None:
    scene.look(scene.seen("a", restart_policy="unless-stopped"))
    scene.lose_engine()
    scene.wait(5)
    scene.regain_engine(Gap.RESTARTED)
    scene.events("kill:15", "die:0", "stop", name="a")
    scene.look(scene.seen("a", status="exited", finished_at=scene.now, restart_policy="unless-stopped"))
    scene.wait(100)
    assert scene.kinds() == [Kind.ENGINE_GONE, Kind.NOT_RETURNED]
    assert [incident.key for incident in scene.state.incidents.values()] == ["a"]
