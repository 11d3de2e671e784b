"""One small simulated organisation for the tests that only read it."""

import pytest

from promptsync.demo.world import World


@pytest.fixture(scope="session")
def world() -> World:
    return World(9, contacts=300, messages=4_000)
