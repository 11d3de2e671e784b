"""A folder with a configuration and a server that plays the export API, and commands as they are typed."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from export_stage import KEY, World
from faulty_qlara import FaultyQlara

from promptsync.cli import main
from promptsync.store.connect import open_reader


class Desk:
    """A folder with a configuration, and commands run with it."""

    def __init__(self, folder: Path, server: FaultyQlara, world: World) -> None:
        self.folder, self.server, self.world = folder, server, world
        self.write(server.address)

    def write(self, address: str, more: str = "") -> None:
        (self.folder / "key").write_text(KEY)
        (self.folder / "key").chmod(0o600)
        text = f'[webhook]\nport = 0\nallow_unauthenticated = true\n[qlara]\nbase_url = "{address}"\n'
        (self.folder / "promptsync.toml").write_text(f'{text}api_key = {{ file = "key" }}\n{more}')

    def run(self, *args: str) -> Result:
        config = str(self.folder / "promptsync.toml")
        return CliRunner().invoke(main, ["--config", config, *args], catch_exceptions=False)

    def rows(self, sql: str) -> list[Any]:
        connection = open_reader(self.folder / "data" / "mirror.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def contacts(self) -> list[Any]:
        return self.rows("SELECT id, phone, first_name FROM qlara_contact ORDER BY id")
