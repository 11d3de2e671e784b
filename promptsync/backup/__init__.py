"""Backups that bring everything back: encrypted copies of the mirror, and what was received between them.

A backup is one file, ``mirror-TIME.db.zst.age``: the whole database as of a moment, compressed by zstd and encrypted in
the age format, so that standard tools open it. A segment, ``received-FROM-TO.jsonl.zst.age``, holds deliveries as
``events export`` writes them. Deliveries are claims and merge in any order, so a backup, the segments that end later
than it, and the files that came since are the mirror. Nothing here writes the mirror but its own marks.
"""
