"""``promptsync demo``: a whole simulated account on this machine."""

import asyncio
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from promptsync.cli.context import App, print_json, print_table
from promptsync.demo.run import DemoSettings, run_demo
from promptsync.demo.truth.compare import TableResult

_MIN_CONTACTS, _MIN_MESSAGES = 50, 100


@click.command()
@click.argument("folder", metavar="[DIR]", default="promptsync-demo", type=click.Path(path_type=Path))
@click.option("--contacts", type=click.IntRange(_MIN_CONTACTS), default=5_000, show_default=True)
@click.option("--messages", type=click.IntRange(_MIN_MESSAGES), default=50_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another organization.")
@click.option("--once", is_flag=True, help="Compare, and end: exit 0 only if the mirror is equal to the truth.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Of the webhook; any free one by default.")
@click.option("--browse-port", type=click.IntRange(0, 65_535), default=0, help="Of the pages.")
@click.option("--open", "open_", is_flag=True, help="Open the pages in a browser as soon as they are there.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Another day than today as the simulated present.")
@click.option("--crash", is_flag=True, help="Kill the daemon in the middle of it and start it again.")
@click.option("--json", "as_json", is_flag=True, help="The comparison for programs (with --once).")
@click.pass_obj
def demo(
    app: App, /, folder: Path, today: datetime | None, once: bool, open_: bool, as_json: bool, **sizes: Any
) -> None:
    """Simulate a texting account through the real code paths, compare the mirror with the truth, then browse it.

    Nightly exports, webhooks, Customer.io's files and Qlara's exports, all of the same people. Writes into DIR
    (promptsync-demo). Without --once the pages are served from the start, and it keeps living until Ctrl-C; what was
    compared is said in a sentence, with -v table by table.
    """
    settings = DemoSettings(folder.absolute(), today=today.date() if today else None, pages=not once, **sizes)

    def show(results: list[TableResult]) -> None:
        if as_json:
            print_json([_plain(result) for result in results])
        elif app.verbosity >= 0:
            _show(results, each_table=once or app.verbosity > 0)

    def say(text: str, address: str = "") -> None:
        click.echo(text, err=True)
        if open_ and address:
            click.launch(address)

    async def play() -> bool:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel if task else loop.stop)
        return await run_demo(settings, once=once, say=say, show=show)

    try:
        equal = asyncio.run(play())
    except asyncio.CancelledError:
        raise SystemExit(130) from None
    raise SystemExit(0 if equal else 1)


def _show(results: list[TableResult], *, each_table: bool) -> None:
    if each_table:
        rows = [[r.table, r.expected, r.found, "equal" if r.equal else "DIFFERENT"] for r in results]
        print_table(["table", "sent", "mirror", ""], list(rows))
    for result in results:
        for key in result.missing:
            click.echo(f"{result.table} {key}: missing")
        for key in result.extra:
            click.echo(f"{result.table} {key}: should not be there")
        for one in result.different:
            click.echo(f"{result.table} {one.key}: {one.column} should be {one.expected!r}, is {one.found!r}")
    equal = all(result.equal for result in results)
    counted = f"{sum(result.found for result in results):,} rows in {len(results)} tables"
    click.echo(f"The mirror {'is equal to' if equal else 'differs from'} what was sent: {counted}.")


def _plain(result: TableResult) -> dict[str, object]:
    numbers = {"table": result.table, "sent": result.expected, "mirror": result.found, "equal": result.equal}
    return numbers | {"missing": result.missing, "extra": result.extra, "different": [str(d) for d in result.different]}
