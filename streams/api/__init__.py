"""The profile API: what is known of one person, over HTTP with a server key; and its erasure.

`shapes` says what is answered, `reading` fills it from the store, `erasure` puts a wish into the logs, `document` is
the OpenAPI document made of the same table of routes that `app` serves.
"""
