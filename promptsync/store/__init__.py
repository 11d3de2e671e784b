"""The only place that opens SQLite: connections, the one writer, migrations, staging, inbox, ledger.

Rules that nothing may break, here or in what uses it (those about the merge itself are in merge/__init__.py):

1. One connection of one process writes and checkpoints: the writer's. All others are read-only. SQLite before 3.51.3
   can corrupt a database in WAL mode when two write or checkpoint; a lock file keeps a second writer out (connect.py).
2. No plain file call and no second SQLite library opens the database, its ``-wal`` or its ``-shm``: closing such a file
   drops the locks that SQLite holds on it. ADBC carries a library of its own, so it only ever touches a staging file,
   and has closed it before anything else attaches that (staging.py). tests/test_layers.py knows who may open what.
3. What is kept in memory of what is written (applied snapshots, layouts) changes after the commit that wrote it, never
   before: pass it to the writer as ``committed``. Between commit and call nothing else runs on the writer.
4. Work that is ``preemptible`` is undone when a delivery comes, and done again; it must not matter that it was begun.
   Work that is not ``durable`` may be lost with the machine's power: work that is durable must follow it.
5. At most one file is staged at a time, whoever asks: loading/files.py takes them one by one. What was split off and
   compared for one would not hold beside another. Exports and plugins' files wait for nobody: they are merged row by
   row, as deliveries are.
6. Rows that a delivery claims while a file of their table is merged are merged again, in the transaction that records
   the file as applied. They are noted from before the comparison begins to read until that transaction, and the notes
   begin on the writer's thread, between two transactions (``FileLoader._watch``, ``SnapshotMerge._finish``).
7. A staged table is taken over only while the mirror's has the same columns in the same order and nobody watches its
   rows; indexes and triggers are made from their declarations (initial_load.py), never from another's text.
"""
