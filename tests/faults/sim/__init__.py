"""The fault simulator: whole histories of the engine in one process, every one of them drawn from one seed.

How it works. What runs is real: the fold, turns, terms, relay, inbox, partitions and the store in memory (or the Lua
functions in a redis-server). What surrounds them is made up: a loop whose time jumps (`clock`), a Kafka (`kafka`), the
lines from a worker to Kafka and to the store, on which things get lost, late and doubled (`lines`, `store`), workers
that are killed, paused and woken again (`worker`), customers (`traffic`) and the one who does it all (`nemesis`). In
every second history customers are persons of several ids in several partitions (`crowd`), who stand in segments and
stages. When a history has healed and come to rest, `checker` says what of the promise is broken; it shares with the
engine only the shapes of records, and the fold where the promise is about refolding. Whose an event is and where it is
heard, `kinship` tells from the logs; `persons`, `across` and `standing` compare.

    python -m tests.faults.sim --seeds 2000 --from 1

Design.md, section 6, has the promise. `ablations` takes away one guard at a time: each must be missed.
"""
