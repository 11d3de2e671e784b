"""``promptsync completion``: the script that has a shell complete commands, options, tables and event types.

Owns what is offered for an argument that names something promptsync knows. The script is click's own.
"""

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from promptsync.cli.context import App

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete what is typed after 'promptsync', for every new shell.

    \b
    promptsync completion bash > ~/.local/share/bash-completion/completions/promptsync
    promptsync completion zsh > ~/.zfunc/_promptsync
    promptsync completion fish > ~/.config/fish/completions/promptsync.fish
    """
    click.echo(_SHELLS[shell](ctx.find_root().command, {}, "promptsync", "_PROMPTSYNC_COMPLETE").source())


def tables(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Tables and views, a plugin's too, with what each holds."""
    from promptsync.cli.extended import schema_of

    app = ctx.find_object(App)
    declared = schema_of(app.config_path if app else None)
    return _beginning({one.name: one.about for one in (*declared, *declared.views)}, incomplete)


def change_set_tables(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Customer.io's tables, with what each holds."""
    from promptsync.model import FilledBy
    from promptsync.vendors import declared_schema

    found = {one.name: one.about for one in declared_schema() if one.filled_by is FilledBy.CHANGE_SET}
    return _beginning(found, incomplete)


def event_types(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The vendors' event types."""
    from promptsync.vendors import EVENT_TYPES

    return _beginning(dict.fromkeys(EVENT_TYPES, ""), incomplete)


def _beginning(known: dict[str, str], incomplete: str) -> list[CompletionItem]:
    """Those that begin so. No help but its first sentence, on one line."""
    return [
        CompletionItem(name, help=" ".join(about.partition(". ")[0].split()) or None)
        for name, about in sorted(known.items())
        if name.startswith(incomplete)
    ]
