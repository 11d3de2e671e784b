"""``promptsync retention``: how long things are kept, and sweeping what is too old now."""

import click

from promptsync.cli.context import App, print_json, print_table
from promptsync.cli.extended import schema_of
from promptsync.engine.keeping import check_retention, chosen, kept_tables


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def retention(ctx: click.Context, as_json: bool) -> None:
    """How long things are kept, as [retention] says. The daemon sweeps what is too old every night."""
    if ctx.invoked_subcommand is not None:
        return
    app: App = ctx.obj
    schema = schema_of(app.config_file)
    check_retention(app.config, schema)
    tables = kept_tables(schema)
    periods = chosen(app.config.retention.periods, tables)
    rest = [key for key in tables if key not in periods]
    if as_json:
        print_json({"periods": {key: period.text for key, (_, period) in periods.items()}, "forever": rest})
        return
    for what, period in periods.values():
        app.say(f"{what}: {f'kept for {period}' if period.ends else 'kept for ever'}.".capitalize())
    if rest:
        app.say(f"Kept for ever unless [retention] says otherwise: {', '.join(rest)}.")


@retention.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--failed", is_flag=True, help="Deliveries that failed or are of an unknown type go too, once too old.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def run(app: App, dry_run: bool, failed: bool, as_json: bool) -> None:
    """Sweep what is too old now, with or without a running daemon."""
    with app.progress() as progress:
        parts = app.operate("retention", {"dry_run": dry_run, "failed": failed}, progress.show)["parts"]
    if as_json:
        print_json({"dry_run": dry_run, "parts": parts})
        return
    rows = [[part["what"], part["period"], (part["before"] or "")[:10], part["count"]] for part in parts]
    print_table(["what", "kept for", "older than", "would go" if dry_run else "went"], rows)
    for part in parts:
        if part["kept"]:
            app.say(f"{part['kept']:,} that are too old stay: {part['why']}.")
