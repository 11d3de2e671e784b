"""Plugins: finding them, taking what they declare, calling them so that they can do no harm.

Owns the isolation: which plugins run, on which threads, for how long, and what happens when one fails. Knows neither
store nor merge; what needs them is handed in. The hooks themselves are in promptsync/hookspecs.py.
"""
