"""A simulated texting organisation, deterministic by seed: its exports, its webhooks, and the truth about its mirror.

Imports neither store, merge nor loading: what the mirror must hold is computed from the simulated world's own state.
"""
