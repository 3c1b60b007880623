"""Old events through today's plays: files of real shops, read as if they happened now.

file -> reader (one a format: rows.Item) -> pace (moves times, waits) -> sender (one a way: HTTP, Kafka) -> books
"""
