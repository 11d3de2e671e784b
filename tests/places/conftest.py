"""Counterparts that live as long as the tests run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from counterparts import azure_server, s3_server, ssh_server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azure_server(tmp_path_factory.mktemp("azure")) as address:
        yield address


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("ssh")
    with ssh_server(folder) as port:
        yield folder, port
