"""What `processors/_hearing.pyx` calls of the core without a detour through Python."""

cpdef repeated(seen, str id, time)
cpdef warm(intent, feature, dwell, time, half_life)
cpdef score(intent, model, time)
