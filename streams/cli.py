"""The `kairos` command: registers what the rooms offer, reads settings, answers with an exit code.

0 good, 1 the thing checked does not hold or something needed is away, 2 wrong usage or settings, 130 Ctrl-C.
"""

import asyncio
import os
import sys
from typing import Annotated

import structlog
import typer
import uvloop
from rich.console import Console

from processors.playbook import BadPlaybook
from streams import kafka
from streams.logs import set_up_logs
from streams.settings import BadSettings, Settings, read_settings, unknown
from streams.state.store import Unavailable, Unfit
from streams.tools import dead_letters, here, parts, playbook
from streams.tools.asking import Wrong
from streams.tools.bench import bench
from streams.tools.books import books
from streams.tools.customer import customer, customers
from streams.tools.demo import demo
from streams.tools.dev import dev
from streams.tools.init import Foreign, init
from streams.tools.rebuild import rebuild
from streams.tools.replay.command import replay
from streams.tools.segments import segments
from streams.tools.triggers import triggers
from streams.vault import NoKey

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""The right message at the right moment.

    Kairos reads what customers do on the web, in the app and at the till from Kafka, keeps one state a customer in
    Redis, and sends a trigger when the moment is right. Begin with [bold]kairos demo[/bold]; run it for a while with
    [bold]kairos dev[/bold]. Settings are variables named KAIROS_*; README has the table.""",
)

TRY, RUN, LOOK = "Try it", "Run it", "Look at it"
app.command(rich_help_panel=TRY)(demo)
app.command(rich_help_panel=TRY)(dev)
app.command(rich_help_panel=TRY)(replay)
app.add_typer(playbook.app, name="playbook", rich_help_panel=RUN)
app.command(rich_help_panel=RUN)(rebuild)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(books)
app.command(rich_help_panel=LOOK)(customer)
app.command(rich_help_panel=LOOK)(customers)
app.command(rich_help_panel=LOOK)(segments)
app.command(rich_help_panel=LOOK)(triggers)
app.command(rich_help_panel=TRY)(bench)


@app.command("collector", rich_help_panel=RUN)
def collector_command() -> None:
    """Take events in over HTTP, as Segment's SDKs send them, and answer when Kafka has them."""
    from streams.collector.app import serve

    settings = service_settings()
    uvloop.install()
    asyncio.run(serve(settings))


@app.command("worker", rich_help_panel=RUN)
def worker_command() -> None:
    """Serve partitions: turn events into states, decisions and triggers."""
    from streams.engine.worker import run_worker

    raise typer.Exit(run_worker(service_settings()))


@app.command("api", rich_help_panel=RUN)
def api_command() -> None:
    """Answer what is known of one customer over HTTP, with a server key; and erase one."""
    from streams.api.app import serve

    settings = service_settings()
    uvloop.install()
    asyncio.run(serve(settings))


@app.command("init", rich_help_panel=RUN)
def init_command(
    as_json: Annotated[bool, typer.Option("--json", help="what was made, as one JSON line")] = False,
) -> None:
    """Make the topics and the state of a new installation, and publish its first playbook. What is there stays.
    KAIROS_FACTS says which families of facts it keeps of customers: from then on it is fixed."""
    made = asyncio.run(init(service_settings()))
    print(made.as_json() if as_json else made)


def service_settings() -> Settings:
    """Settings of a process that runs for long: from the environment, with logs set up."""
    settings = read_settings(**here.settings_here())
    set_up_logs(settings)
    for name in unknown(os.environ):
        structlog.get_logger().warning("unknown variable", name=name)
    return settings


def main() -> None:
    """Entry point: what a person can mend is said in a sentence, anything else is a bug and shows its trace."""
    try:
        app()
    except (BadSettings, Wrong, here.NotRunning, here.RunsAlready, BadPlaybook, parts.Missing) as exc:
        fail(str(exc), 2)
    except (Foreign, Unavailable, Unfit, kafka.Unavailable, kafka.WrongTopics, NoKey, parts.Failed) as exc:
        fail(str(exc), 1)
    except KeyboardInterrupt:
        sys.exit(130)


def fail(text: str, code: int) -> None:
    """Say what is wrong and leave."""
    Console(stderr=True, highlight=False).print(text, style="red", markup=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
