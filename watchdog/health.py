"""Is the watchdog itself well? Only while stream, reconcile and Telegram are all fresh.

`python -m watchdog.health FILE` is the container's health check. It needs only the standard library, so it
costs a few milliseconds of CPU.
"""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

STALE_FILE_S = 60.0


@dataclass(slots=True)
class Pulse:
    """When each of the three was last known to work, and how old that may be."""

    limits_s: dict[str, float]  # by name: stream, reconcile, telegram
    seen_at: dict[str, float] = field(default_factory=dict)

    def beat(self, name: str, at: float) -> None:
        """This part has just worked."""
        self.seen_at[name] = at

    def stale(self, now: float) -> tuple[str, ...]:
        """The parts that have not worked for too long, or never."""
        return tuple(
            name for name, limit_s in self.limits_s.items() if now - self.seen_at.get(name, 0.0) > limit_s
        )


def write_health(path: Path, stale: tuple[str, ...], now: float) -> None:
    """Leave word for the health check, all at once."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({"at": now, "stale": stale}))
    draft.replace(path)


def check(path: Path, now: float) -> str:
    """Why the watchdog is not well; empty when it is."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError) as exc:
        return f"no health file: {exc}"
    if now - float(told["at"]) > STALE_FILE_S:
        return "the watchdog has not reported for a minute"
    return "not fresh: " + ", ".join(told["stale"]) if told["stale"] else ""


if __name__ == "__main__":
    problem = check(Path(sys.argv[1]), time.time())
    sys.stderr.write(problem)
    sys.exit(1 if problem else 0)
