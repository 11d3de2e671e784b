"""``promptsync help``: the long texts, by topic."""

import sys

import click

from promptsync.cli.context import App, print_table
from promptsync.config.values import suggest
from promptsync.docs import topics
from promptsync.errors import ConfigError

_WIDEST = 100


@click.command()
@click.argument("topic", required=False)
@click.pass_obj
def help(app: App, topic: str | None) -> None:
    """Show the long text about TOPIC, or which topics there are; 'promptsync COMMAND --help' is about a command.

    On a terminal it is set for reading, elsewhere it is Markdown.
    """
    found = topics()
    if topic is None:
        print_table(["topic", "is about"], [[one.name, one.about] for one in found.values()])
        click.echo("\n'promptsync help TOPIC' shows one; the pages have them under /-/help.")
        return
    if topic not in found:
        near = suggest(topic, found)
        raise ConfigError(f"There is no topic {topic}{near or '.'} 'promptsync help' lists them.")
    if not sys.stdout.isatty():
        click.echo(found[topic].text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(Markdown(found[topic].text, hyperlinks=False), width=min(console.width, _WIDEST))
