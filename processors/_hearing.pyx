# cython: binding=False
"""`processors.hearing`, compiled: what its functions do and why is said there, how it is done in `processors/_core.pyx`.

Of most events nothing follows. So nothing is made before it is needed: a play's own functions are asked directly, and
`Asked` (answers by CEL, errors, reasons) only where they cannot tell, or where there is a proposal.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject

from processors._core cimport repeated, score as score_of, warm
from processors._slots cimport IS, IS_KIND_OF, field, place, put_field, sure

from msgspec import DecodeError

from processors import erasing, identity as identity_, parcels, plays as plays_, sight
from processors.arrivals import fault, refuse
from processors.cel import UNSURE
from processors.compiled import TWINS as twins
from processors.conditions import Compiled, Conditions, Question
from processors.intent import FEATURES as FEATURES_
from processors.owners import gone
from processors.parcels import Home
from processors.persons import intent_of, person_of
from processors.plays import Listening
from processors.policies import remembered
from processors.proposals import Person, proposed
from processors.zones import STEP, day_of
from schemas.customer import Customer, Decisions, Identity, Sent, Waiting
from schemas.event import Event, decode_event as decode
from schemas.facts import Did, EventFacts
from schemas.identity import Side
from schemas.trigger import trigger_id

cdef Py_ssize_t CLICKS = place(Customer, "clickstream"), CART = place(Customer, "cart"), POS = place(Customer, "pos")
cdef Py_ssize_t DECISIONS = place(Customer, "decisions"), IDENTITY = place(Customer, "identity")
cdef Py_ssize_t ERASURE = place(Customer, "erased"), FORGOTTEN = place(Customer, "forgotten")
cdef Py_ssize_t OWNER = place(Identity, "owner")
cdef tuple SIDES = tuple(place(Identity, topic) for topic in ("clickstream", "cart", "pos", "feedback"))
cdef Py_ssize_t HELD = place(Side, "held"), SIDE_OWNER = place(Side, "owner"), CLOSED = place(Side, "closed")
cdef Py_ssize_t INTENT = place(Decisions, "intent"), WAITING = place(Decisions, "waiting")
cdef Py_ssize_t CONCLUDED = place(Decisions, "concluded"), SENT = place(Decisions, "sent")
cdef Py_ssize_t LOOK = place(Decisions, "look"), DUE = place(Waiting, "due"), ARMED = place(Waiting, "armed")
cdef Py_ssize_t SENT_ID = place(Sent, "id"), SENT_PLAY = place(Sent, "play")
cdef Py_ssize_t DID = place(EventFacts, "did"), DID_AT = place(Did, "at")
cdef Py_ssize_t ID = place(Event, "id"), NAME = place(Event, "name"), TIME = place(Event, "time")
cdef Py_ssize_t DWELL = place(Event, "dwell")
cdef Py_ssize_t ASKED = place(Listening, "asked"), STARTED = place(Listening, "started")
cdef Py_ssize_t ENDED = place(Listening, "ended")
cdef Py_ssize_t KEY = place(Person, "key"), OF = place(Person, "customer"), THEIRS = place(Person, "decisions")
cdef Py_ssize_t WHEN = place(Compiled, "when"), OCCURRENCE = place(Compiled, "occurrence")
cdef Py_ssize_t CLOSURE = place(Question, "closure")
cdef Py_ssize_t NEXT = place(EventFacts, "next"), SEEN = place(EventFacts, "seen")
cdef Py_ssize_t MARKER = place(Event, "marker"), ANONYMOUS = place(Event, "anonymous"), LINKS = place(Event, "links")
cdef dict SIDE_OF = {topic: place(Identity, topic) for topic in ("clickstream", "cart", "pos")}

cdef str APPLIED = "applied:", DUPLICATE = "duplicate:", ERASED = "erased:"
cdef dict FEATURES = FEATURES_
cdef object NOT_TOLD = object()


cpdef take(hearing, turn, str topic, key, customer, records):
    if not IS(customer, Customer) or field(customer, ERASURE) is not None:
        return twins["take"](hearing, turn, topic, key, customer, records)
    facts_of_topic, fold = hearing.folds[topic]
    do, rules = hearing.react, hearing.rules
    cdef bint plain = do is this, stands = False
    cdef long applied = 0, duplicates = 0, erased = 0
    cdef dict leaving = {}
    cdef Py_ssize_t place_of_side = SIDE_OF[topic]
    facts = seen = None
    for record in records:
        try:
            event = decode(record.value)
        except (DecodeError, UnicodeDecodeError, RecursionError, TypeError) as wrong:
            refuse(turn, topic, record, *fault(record, wrong))
            continue
        if field(customer, ERASURE) is not None:
            erased += 1
            turn.late.add(key)
            erasing.late(Home(turn, record, key, customer), rules, topic, event)
            continue
        if facts is None:
            facts = facts_of_topic(customer)
            if not IS_KIND_OF(facts, EventFacts):
                raise TypeError(f"wanted facts of {topic}, got {facts!r}")
            seen = field(facts, SEEN)
            turn.changed.add(key)
        put_field(facts, NEXT, record.offset + 1)
        if repeated(seen, field(event, ID), record.timestamp / 1000.0):
            duplicates += 1
            continue
        marker = field(event, MARKER)
        if marker is not None:
            applied += 1
            identity_.mark(Home(turn, record, key, customer), leaving, topic, event, marker)
            facts, stands = None, True
            continue
        known = identity_of(customer)
        side = field(known, place_of_side) if known is not None else None
        if side is not None and gone(field(sure(side, Side), SIDE_OWNER)):
            erased += 1
            continue
        applied += 1
        fold(facts, event, key)
        if (
            (known is not None or field(event, ANONYMOUS) or field(event, LINKS))
            and not identity_.own(known, side, event)
            and identity_.elsewhere(Home(turn, record, key, customer), rules, leaving, topic, event)
        ):
            continue
        if react(hearing, turn, key, customer, topic, event) if plain else do(
            hearing, turn, key, customer, topic, event
        ):
            stands = True
        known = identity_of(customer)
        if known is not None and field(known, OWNER):
            parcels.hand_over(Home(turn, record, key, customer), topic)
    if leaving:
        parcels.dispatch(turn, topic, leaving)
    count(turn, topic, applied, duplicates, erased)
    return stands


cdef int count(turn, str topic, long applied, long duplicates, long erased) except -1:
    counts = turn.counts
    add(counts, APPLIED, topic, applied)
    add(counts, DUPLICATE, topic, duplicates)
    add(counts, ERASED, topic, erased)
    return 0


cdef inline int add(counts, str what, str topic, long many) except -1:
    if many:
        name = what + topic
        counts[name] += many
    return 0


cpdef react(hearing, turn, key, customer, topic, event):
    if not IS(customer, Customer) or not IS(event, Event):
        return twins["react"](hearing, turn, key, customer, topic, event)
    name, dwell, time = field(event, NAME), field(event, DWELL), field(event, TIME)
    cdef PyObject *found = PyDict_GetItemWithError(FEATURES, name)
    feature = <object>found if found is not NULL else None
    found = PyDict_GetItemWithError(<dict?>hearing.listening, name)
    heard = <object>found if found is not NULL else None
    standing, identity = hearing.standing, identity_of(customer)
    cdef bint stands = standing.needed and not (identity is not None and field(identity, OWNER))
    if feature is None and not dwell and heard is None and not stands:
        return False
    decisions = field(customer, DECISIONS)
    if decisions is None:
        decisions = customer.decisions = Decisions()
    now = turn.now
    at = time if <double>time <= <double>now else now
    warm(field(sure(decisions, Decisions), INTENT), feature, dwell, at, hearing.half_life)
    if heard is None and not stands:
        return False
    person = Person(key, customer if is_whole(customer) else person_of(turn, key, customer), decisions)
    if stands:
        stands = standing.event(turn, person, topic, event)
    if heard is not None:
        hear(hearing, turn, person, event, heard)
    return stands


cdef inline object identity_of(customer):
    identity = field(customer, IDENTITY)
    return None if identity is None else sure(identity, Identity)


cdef bint is_whole(customer) except -1:
    """Whether all that is the person's is in one Customer: `processors.persons.alone`."""
    identity = identity_of(customer)
    if identity is None:
        return True
    if field(identity, OWNER):
        return False
    for at in SIDES:
        side = field(identity, at)
        if side is not None and (field(sure(side, Side), HELD) or field(side, SIDE_OWNER) or field(side, CLOSED)):
            return False
    return True


cpdef hear(hearing, turn, person, event, heard):
    if not IS(event, Event) or not IS(person, Person) or not IS(heard, Listening):
        return twins["hear"](hearing, turn, person, event, heard)
    key, customer, decisions, time = field(person, KEY), field(person, OF), field(person, THEIRS), field(event, TIME)
    cdef bint moved = False
    cdef dict waiting = field(sure(decisions, Decisions), WAITING)
    for play in <tuple>field(heard, ENDED):
        if play.id in waiting and plays_.stop(turn, customer, decisions, play):
            moved = True
    for play in <tuple>field(heard, STARTED):
        if start(turn, customer, decisions, waiting, play, event, time):
            moved = True
    if moved:
        turn.wake[key] = wake(decisions, waiting)
    cdef tuple asked = field(heard, ASKED)
    if not asked:
        return
    view = Sight(customer, key, event, time, hearing.playbook)
    conditions, outcomes, answers = hearing.conditions, hearing.outcomes, None
    cdef dict compiled = conditions.plays if IS(conditions, Conditions) else {}
    for play in asked:
        if play.unless and over(customer, play, time):
            continue
        id = play.id
        one = compiled.get(id)
        occurrence = NOT_TOLD
        if was_sent(decisions, id):
            occurrence = answer(one, OCCURRENCE, view)
            if occurrence is NOT_TOLD:
                answers = answers or conditions.at(view)
                occurrence = answers.occurrence(id)
            if occurrence and is_remembered(customer, trigger_id(outcomes.app, id, key, occurrence)):
                continue
        holds = answer(one, WHEN, view)
        if holds is NOT_TOLD:
            answers = answers or conditions.at(view)
            holds = answers.holds(id)
        if holds is not True:
            continue
        answers = answers or conditions.at(view)
        if occurrence is NOT_TOLD:
            occurrence = answers.occurrence(id)
        if occurrence:
            outcomes.settle(turn, proposed(play, person, occurrence, event, view, answers, hearing.playbook.intent))


cdef object answer(compiled, Py_ssize_t which, view):
    """What a play's own function says; NOT_TOLD: it cannot tell."""
    if compiled is None:
        return NOT_TOLD
    closure = field(sure(field(sure(compiled, Compiled), which), Question), CLOSURE)
    if closure is None:
        return NOT_TOLD
    try:
        return closure(view)
    except UNSURE:
        return NOT_TOLD


cdef bint was_sent(decisions, str play) except -1:
    """Whether any trigger of this play was sent, by this id."""
    for one in <list>field(decisions, SENT):
        if <str>field(sure(one, Sent), SENT_PLAY) == play:
            return True
    return False


cdef bint is_remembered(customer, str id) except -1:
    """`processors.policies.remembered`."""
    if not IS(customer, Customer) or field(customer, IDENTITY) is not None or field(customer, FORGOTTEN):
        return remembered(customer, id)
    for one in <list>field(sure(field(customer, DECISIONS), Decisions), SENT):
        if <str>field(sure(one, Sent), SENT_ID) == id:
            return True
    return False


# -- processors.plays


cdef bint over(customer, play, time) except -1:
    if not IS(customer, Customer):
        return plays_.over(customer, play, time)
    cdef tuple ends = play.ends
    cdef PyObject *did
    if ends:
        for facts in (field(customer, CLICKS), field(customer, CART), field(customer, POS)):
            if facts is not None and not IS_KIND_OF(facts, EventFacts):
                raise TypeError(f"wanted facts, got {facts!r}")
            if facts is not None:
                for key in ends:
                    did = PyDict_GetItemWithError(<dict>field(facts, DID), key)
                    if did is not NULL and <double>field(sure(<object>did, Did), DID_AT) >= <double>time:
                        return True
    return False


cdef bint start(turn, customer, decisions, dict waiting, play, event, time) except -1:
    id = play.id
    cdef PyObject *before = PyDict_GetItemWithError(<dict>field(decisions, CONCLUDED), id)
    if (before is not NULL and <double>time <= <double><object>before) or over(customer, play, time):
        return False
    before = PyDict_GetItemWithError(waiting, id)
    if before is NULL:
        turn.counts["timer:armed"] += 1
    elif <double>time <= <double>field(sure(<object>before, Waiting), ARMED):
        return False
    waiting[id] = Waiting(time + play.after, time, field(event, ID), field(event, NAME))
    return True


cdef object wake(decisions, dict waiting):
    due = field(decisions, LOOK) or None
    for one in waiting.values():
        at = field(sure(one, Waiting), DUE)
        if due is None or <double>at < <double>due:
            due = at
    return due


# -- processors.sight


cdef dict PARTS = {name: part.make for name, part in vars(sight.Sight).items() if isinstance(part, sight.Part)}
cdef dict EVENT_PARTS = {
    name: part.make for name, part in vars(sight.EventSight).items() if isinstance(part, sight.Part)
}


cdef class Sight:
    cdef readonly object of, now, _key, _cause, _playbook
    cdef object _event, _score
    cdef dict _made

    def __init__(self, customer, key, cause, now, playbook):
        self.of, self._key, self._cause, self.now, self._playbook = customer, key, cause, now, playbook

    def __getattr__(self, str name):
        return part(self, PARTS, name)

    @property
    def event(self):
        if self._event is None:
            clicks = self.of.clickstream
            self._event = EventSight(self._cause, clicks.zone if clicks is not None else "")
        return self._event

    @property
    def score(self):
        if self._score is None:
            model, customer = self._playbook.intent, self.of
            decisions = own = customer.decisions
            if not IS(customer, Customer) or field(customer, IDENTITY) is not None:
                own = intent_of(customer, model.half_life)
            elif decisions is not None:
                own = field(sure(decisions, Decisions), INTENT)
            self._score = score_of(own, model, self.now)
        return self._score


cdef class EventSight:
    cdef readonly object _event, _zone
    cdef object _day
    cdef dict _made

    def __init__(self, event, zone):
        self._event, self._zone = event, zone

    def __getattr__(self, str name):
        return part(self, EVENT_PARTS, name) if name in EVENT_PARTS else getattr(self._event, name)

    @property
    def day(self):
        if self._day is None:
            self._day = day_of(int(self._event.time // STEP), self._zone)
        return self._day


ctypedef fused View:
    Sight
    EventSight


cdef object part(View view, dict parts, str name):
    """What the twin works out, once."""
    if view._made is None:
        view._made = {}
    elif name in view._made:
        return view._made[name]
    make = parts.get(name)
    if make is None:
        raise AttributeError(f"a view has no {name}")
    value = view._made[name] = make(view)
    return value


cdef object this = globals()["react"]
"""The function as Python sees it."""
