"""The only place that opens SQLite: connections, the one writer, migrations, staging, inbox, ledger.

Rules that nothing may break, here or in what uses it (those about the merge itself are in merge/__init__.py):

1. One connection of one process writes and checkpoints: the writer's. All others are read-only. SQLite before 3.51.3
   can corrupt a database in WAL mode when two write or checkpoint; a lock file keeps a second writer out (connect.py).
2. No plain file call and no second SQLite library opens the database, its ``-wal`` or its ``-shm``: closing such a file
   drops the locks that SQLite holds on it. ADBC carries its own library, so it only ever opens a staging file, and
   closes it before anything else attaches it (staging.py). tests/test_layers.py knows who may open what.
3. What is kept in memory about the mirror (applied snapshots, layouts) changes after the commit that wrote it, never
   before: pass the change to the writer as ``committed``. Between commit and call nothing else runs on the writer.
4. Work that is ``preemptible`` is undone when a delivery comes, and done again; having been begun must leave no trace.
   Work that is not ``durable`` may be lost in a power failure: durable work must follow it.
5. At most one file is staged at a time: loading/files.py takes them one by one, because what was split and compared for
   one would not hold while another is merged. Exports and plugins' files do not wait: they are merged row by row, as
   deliveries are.
6. Rows that a delivery claims while a file of their table is merged are merged again, in the transaction that records
   the file as applied. Their keys are recorded from before the comparison begins to read until that transaction;
   recording begins on the writer's thread, between two transactions (``FileLoader._watch``, ``SnapshotMerge._finish``).
7. A staged table is copied in only while the mirror's has the same columns in the same order and no observer follows
its
   rows; indexes and triggers are made from their declarations (initial_load.py), never from another's text.
"""
