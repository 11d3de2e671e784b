"""``promptsync demo``: a whole simulated account on this machine.

Owns what a visitor is shown and when: the address first, before anything that takes time is even imported, and at the
end what stays on the disk.
"""

import asyncio
import os
import shlex
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptsync.cli.context import App, print_json, print_table, program
from promptsync.demo.home import Home
from promptsync.errors import Unavailable, size_in_words

if TYPE_CHECKING:
    from promptsync.demo.run import Demo, DemoSettings, Progress
    from promptsync.demo.truth.compare import TableResult

_MIN_CONTACTS, _MIN_MESSAGES = 50, 100
_SIZES, _FULL_SIZES = (2_000, 20_000), (5_000, 50_000)
PAGES_PORT = 8643
_HOST = "127.0.0.1"


@click.command()
@click.argument("folder", metavar="[DIR]", default="promptsync-demo", type=click.Path(path_type=Path))
@click.option("--full", is_flag=True, help="A larger account: 5,000 contacts and 50,000 messages.")
@click.option("--contacts", type=click.IntRange(_MIN_CONTACTS), help="How many, instead of 2,000.")
@click.option("--messages", type=click.IntRange(_MIN_MESSAGES), help="How many, instead of 20,000.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another organization.")
@click.option("--once", is_flag=True, help="Compare, and end: exit 0 only if the mirror is equal to the truth.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Of the webhook; any free one by default.")
@click.option("--browse-port", type=click.IntRange(0, 65_535), help="Of the pages; 8643 if it is free, else another.")
@click.option("--open/--no-open", "open_", default=None, help="Open the pages in a browser; by default on a desktop.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Another day than today as the simulated present.")
@click.option("--crash", is_flag=True, help="Kill the daemon in the middle of it and start it again.")
@click.option("--lake", "in_lake", is_flag=True, help="Through a lake instead of a mirror, without pages.")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", help="What folds (with --lake).")
@click.option("--master", default="", help="Of a cluster of Spark; without one it is made on this machine.")
@click.option("--json", "as_json", is_flag=True, help="The comparison for programs (with --once).")
@click.pass_obj
def demo(app: App, /, folder: Path, full: bool, once: bool, open_: bool | None, **options: Any) -> None:
    """Simulate a texting account through the real code paths, compare the mirror with the truth, then browse it.

    Nightly exports, webhooks, Customer.io's files and Qlara's exports, all of the same people. Writes into DIR
    (promptsync-demo). Without --once the pages are served from the start, and it keeps living until Ctrl-C; what was
    compared is said in a sentence, with -v table by table.
    """
    once = once or options["in_lake"]
    home = Home(folder.absolute())
    home.clear(options["seed"])
    listener = None if once else listening(options["browse_port"])
    if listener is not None:
        options["browse_port"] = listener.getsockname()[1]
        address = f"http://{_HOST}:{options['browse_port']}/"
        _say(f"Open {address} in a browser: it fills while you look, in a few seconds.")
        if _on_a_desktop() if open_ is None else open_:
            click.launch(address)
    from promptsync.demo.run import DemoSettings

    contacts, messages = _FULL_SIZES if full else _SIZES
    settings = DemoSettings(
        home,
        contacts=options["contacts"] or contacts,
        messages=options["messages"] or messages,
        seed=options["seed"],
        port=options["port"],
        browse_port=PAGES_PORT if options["browse_port"] is None else options["browse_port"],
        today=options["today"].date() if options["today"] else None,
        crash=options["crash"],
        listener=listener,
    )
    try:
        lake = (options["engine"], options["master"]) if options["in_lake"] else None
        equal = _played(settings, app, lake, as_json=options["as_json"])
    finally:
        _say_what_stays(home)
    raise SystemExit(0 if equal else 1)


def _played(settings: "DemoSettings", app: App, lake: tuple[str, str] | None, *, as_json: bool) -> bool:
    """Whether the mirror was equal to the truth. Raises SystemExit if it was interrupted before that was known."""
    from promptsync.demo.run import Demo, run_demo

    with ExitStack() as shown:
        bar = shown.enter_context(app.progress())

        def show(results: "list[TableResult]") -> None:
            shown.close()
            if as_json:
                print_json([_plain(result) for result in results])
            elif app.verbosity >= 0:
                _show(results, each_table=settings.listener is None or app.verbosity > 0)

        ended = False

        def progress(step: str, done: int, total: int) -> None:
            if not ended:
                bar.show({"progress": [step, done, total]})

        async def play() -> bool:
            task = asyncio.current_task()
            loop = asyncio.get_running_loop()

            def end() -> None:
                nonlocal ended
                ended = True
                shown.close()
                _say("Ending ...")
                if task is not None:
                    task.cancel()

            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, end)
            played = Demo(settings, _say, progress) if lake is None else _of_lake(settings, lake, progress)
            return await run_demo(played, say=_say, show=show, pages=settings.listener is not None)

        try:
            return asyncio.run(play())
        except asyncio.CancelledError:
            raise SystemExit(130) from None


def _of_lake(settings: "DemoSettings", lake: tuple[str, str], progress: "Progress") -> "Demo":
    from promptsync.demo.lake import LakeDemo, LakeSettings

    return LakeDemo(settings, LakeSettings(*lake), _say, progress)


def listening(port: int | None) -> socket.socket:
    """A socket for the pages. ``port``: None takes the usual one if it is free, else any, as 0 does."""
    if port is None:
        with suppress(OSError):
            return socket.create_server((_HOST, PAGES_PORT))
    try:
        return socket.create_server((_HOST, port or 0))
    except OSError as error:
        raise Unavailable(
            f"Port {port} cannot be listened on ({error.strerror}); choose another --browse-port."
        ) from error


def _on_a_desktop() -> bool:
    return sys.stderr.isatty() and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _say(text: str) -> None:
    with suppress(OSError):  # a closed terminal
        click.echo(text, err=True)


def _say_what_stays(home: Home) -> None:
    folder = shlex.quote(str(home.folder))
    again = shlex.join([program(), "--config", str(home.browsable), "browse"])
    _say(f"{folder} stays, {size_in_words(home.size())}. To look again: {again}")
    _say(f"To remove it: rm -r {folder}")


def _show(results: "list[TableResult]", *, each_table: bool) -> None:
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


def _plain(result: "TableResult") -> dict[str, object]:
    numbers = {"table": result.table, "sent": result.expected, "mirror": result.found, "equal": result.equal}
    return numbers | {"missing": result.missing, "extra": result.extra, "different": [str(d) for d in result.different]}
