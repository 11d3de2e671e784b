"""Simulated organisations for the tests that only read them: a small one, and one where everything occurs."""

import pytest

from promptsync.demo.world.world import World


@pytest.fixture(scope="session")
def world() -> World:
    return World(9, contacts=300, messages=4_000)


@pytest.fixture(scope="session")
def busy() -> World:
    return World(4, contacts=1_500, messages=12_000)
