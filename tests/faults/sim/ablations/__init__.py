"""The guards of design.md, section 6, taken away one at a time: the simulator must miss each of them.

How it works. An ablation puts something else in the place of a function of the engine, the fold or the store in memory,
for the time of a history; the first line of its docstring says what then happens. `guards` names a seed whose history
breaks without it. "Acknowledged once a term" is not among them: it needs no guard of its own, `known_id` is the one
(`relay`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from processors import decide, hearing
from processors.compiled import TWINS
from tests.faults.sim.ablations import links, moments, sent, terms, tokens

GUARDS: Final = (
    tokens.token_in_commit,
    tokens.token_in_load,
    tokens.nonce,
    tokens.acquire_compares,
    tokens.offsets_from_redis,
    tokens.cache_keeps_unsettled,
    tokens.idle_proof,
    tokens.revocation,
    moments.timer_catch_up,
    moments.clock_margin,
    moments.deterministic_ids,
    moments.tick_in_the_turn_record,
    moments.times_compared,
    sent.trim_after_acknowledgement,
    sent.read_back,
    sent.known_id,
    sent.read_back_takes_out,
    sent.whatever_the_trim_said,
    sent.two_sided_windows,
    terms.drain_first,
    terms.drain_gathers_triggers_only,
    terms.fence,
    terms.end_after_the_fence,
    terms.judge,
    terms.relay_waits_for_the_drain,
    links.newer_part,
    links.told_once,
    links.marker_once,
    links.sent_is_told,
    links.silences_are_told,
    links.owner_before_is_told,
    links.caps_of_the_person,
    links.marker_in_each_log,
    links.owned_stands_nowhere,
)
ABLATIONS: Final = {guard.__name__.replace("_", "-"): guard for guard in GUARDS}


@contextmanager
def ablated(name: str) -> Iterator[None]:
    """Without one guard; an empty name takes away nothing."""
    before: list[tuple[Any, str, Any]] = []

    def put(owner: Any, attribute: str, value: Any) -> None:
        before.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, value)

    try:
        if name:
            for room, function in ((decide, "take"), (hearing, "react"), (hearing, "hear")):
                put(room, function, TWINS[function])  # the compiled ones do not look up by name what they call
            ABLATIONS[name](put)
        yield
    finally:
        for owner, attribute, value in reversed(before):
            setattr(owner, attribute, value)
