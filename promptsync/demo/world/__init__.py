"""The simulated world: people, time, what happens."""
