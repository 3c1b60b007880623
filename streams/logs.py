"""Log lines: JSON for machines, text at a terminal; ours and those of the libraries through one door, on stderr."""

import logging
import sys

import structlog

from streams.settings import Settings

QUIET = {
    "faust": logging.ERROR,
    "streams.engine.seam": logging.WARNING,
    "mode": logging.ERROR,
    "aiokafka": logging.WARNING,
    "aiohttp.access": logging.ERROR,
}
"""Libraries that tell much: least level of each. aiokafka says each failed attempt of an outage as an error."""


def set_up_logs(settings: Settings) -> None:
    """Once, at the start of a process."""
    text = settings.log == "text" or (settings.log == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    door = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    door.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, *renderer]))
    root = logging.getLogger()
    root.handlers = [door]
    root.setLevel(settings.log_level.upper())
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
