"""What /status, /incidents and the daily report say. Pure: from state and figures to text."""

import html
from collections.abc import Mapping, Sequence

from watchdog.domain import Health
from watchdog.incidents import Standing
from watchdog.picture import percent
from watchdog.report import Record, Report
from watchdog.state import Phase, Watched, WatchState
from watchdog.store import Filed, Mute
from watchdog.telling import MAX_TEXT, Teller

MAX_CAPTION = 1000  # Telegram's limit for the text under a picture is 1024
_SIGNS = {Phase.RUNNING: "●", Phase.PAUSED: "‖", Phase.CREATED: "○", Phase.DOWN: "✕", Phase.GONE: "✕"}
_HEALTH = {Health.HEALTHY: "ok", Health.UNHEALTHY: "BAD", Health.STARTING: "…"}


def tell_status(
    teller: Teller,
    state: WatchState,
    usage: Mapping[str, tuple[float, int] | None],
    mutes: Sequence[Mute],
    now: float,
) -> str:
    """The table of containers. `usage`: CPU share and memory bytes by container id."""
    watched = sorted(
        (w for w in state.containers.values() if w.phase is not Phase.GONE), key=lambda w: w.title
    )
    parts = [f"<b>{teller.say('status')}</b>"]
    if state.engine.lost_at is not None and state.engine.back_at is None:
        parts.append(teller.say("status_engine_gone"))
    if not watched:
        return "\n".join([*parts, teller.say("status_none")])
    rows = [_row(teller, entry, usage.get(entry.container_id), now) for entry in watched]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    table = ""
    for line in lines:
        if len(table) + len(line) > MAX_TEXT - 300:
            table += "…\n"
            break
        table += html.escape(line) + "\n"
    parts.append(f"<pre>{table.rstrip()}</pre>")
    silent = [mute.key for mute in mutes if mute.until is None or mute.until > now]
    if silent:
        parts.append("🔕 " + html.escape(", ".join(silent)))
    return "\n".join(parts)


def _row(teller: Teller, watched: Watched, used: tuple[float, int] | None, now: float) -> tuple[str, ...]:
    is_up = watched.phase in (Phase.RUNNING, Phase.PAUSED)
    since = watched.run_started_at if is_up else watched.phase_since
    n_restarts = watched.restart_count + watched.n_deaths_since
    cpu, memory = ("", "") if used is None else (f"{used[0]:.0%}", f"{used[1] / 1e6:.0f}M")
    return (
        _SIGNS[watched.phase],
        watched.title[:24],
        _HEALTH.get(Health(watched.health), ""),
        teller.duration(now - since).replace(" ", ""),
        f"↻{n_restarts}" if n_restarts else "",
        cpu,
        memory,
    )


def tell_incidents(teller: Teller, filed: Sequence[Filed], hours: int) -> str:
    """The newest incidents last, each on a line with its time."""
    if not filed:
        return teller.say("incidents_none", hours=hours)
    lines = [f"{teller.clock(entry.incident.opened_at)} {teller.headline(entry.incident)}" for entry in filed]
    n_cut = 0
    while sum(len(line) + 1 for line in lines) > MAX_TEXT - 200:
        lines.pop(0)
        n_cut += 1
    head = f"<b>{teller.say('incidents', hours=hours)}</b>" + (f" (+{n_cut})" if n_cut else "")
    return "\n".join([head, *lines])


def tell_report(teller: Teller, report: Report) -> str:
    """The daily report, worst container first."""
    start, end = (teller.clock(at, with_day=True) for at in (report.start, report.end))
    lines = [f"<b>{teller.say('report', start=start, end=end)}</b>"]
    lines += [_record(teller, record) for record in report.records] or [teller.say("report_none")]
    if report.records:
        lines.append(teller.say("report_legend"))
    if report.blind_s >= 1.0:
        lines.append(teller.say("report_blind", duration=teller.duration(report.blind_s)))
    else:
        lines.append(teller.say("report_sighted"))
    return "\n".join(lines)


def _record(teller: Teller, record: Record) -> str:
    down_s = record.seconds(Standing.DOWN) + record.seconds(Standing.SICK)
    details = [
        teller.say("down", duration=teller.duration(down_s)) if down_s else "",
        teller.say("incidents_n", n=record.n_incidents) if record.n_incidents else "",
        teller.say("restarts_n", n=record.n_crashes) if record.n_crashes else "",
        teller.say("ooms_n", n=record.n_ooms) if record.n_ooms else "",
    ]
    told = ", ".join(detail for detail in details if detail) or teller.say("report_calm")
    name = html.escape(record.key)
    return teller.say("report_line", name=name, percent=percent(record.availability), details=told)
