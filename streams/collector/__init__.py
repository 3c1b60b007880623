"""HTTP in: what SDKs send becomes events in Kafka, answered only when Kafka has them.

A request's way: `intake` gathers key (`keys`) and body (`body`), `schemas.wire` decides what it holds, `producer`
commits it to Kafka, in rounds (`round`) of batches (`packing`) over a connection (`line`, `request`), and `answers`
says so. Plain requests go this way from the connection itself (`front`, `heads`), all others through aiohttp; `app`
ties them to routes and to the life of the process.
"""
