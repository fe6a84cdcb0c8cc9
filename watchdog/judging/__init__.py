"""The pure judge: (state, observation, rules) -> (state, changes). No clock, no input or output."""

from watchdog.domain import ContainerEvent, EngineBack, EngineLost, Observation, Rules, Snapshot, Tick
from watchdog.judging.clock import judge_tick, remind
from watchdog.judging.docket import Docket
from watchdog.judging.events import judge_event
from watchdog.judging.inspection import judge_snapshot
from watchdog.judging.outage import is_judging_suspended, judge_outage, lose_engine, regain_engine, see_return
from watchdog.state import Verdict, WatchState

__all__ = ["judge"]


def judge(state: WatchState, observation: Observation, rules: Rules) -> Verdict:
    """What this observation changes. The input state is left as it is."""
    docket = Docket(state, rules)
    match observation:
        case ContainerEvent():
            judge_event(docket, observation)
        case Snapshot():
            see_return(docket, observation)
            judge_snapshot(docket, observation)
        case EngineLost():
            lose_engine(docket, observation)
        case EngineBack():
            regain_engine(docket, observation)
        case Tick(at=now):
            judge_outage(docket, now)
            if not is_judging_suspended(docket):
                judge_tick(docket, now)
            remind(docket, now, engine_only=is_judging_suspended(docket))
    return docket.verdict()
