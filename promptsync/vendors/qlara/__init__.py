"""Qlara: asynchronous export jobs, tables."""
