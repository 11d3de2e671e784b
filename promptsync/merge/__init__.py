"""The rule by which claims become rows. No I/O beyond the connection handed in.

Everything that arrives is a claim: "at this version, these columns of this row had these values". The mirror is a
function of the SET of claims, whatever their order, their batches, their repetitions and the kills in between. Read in
this order: spec.py (the rule in plain Python, the reference), version.py (what is compared), layout.py (what shares a
version), rule.py (values), coverage.py and absence.py (why each hidden column exists); then bulk_sql.py (files) and
event_sql.py (deliveries), which only put these together. block_index.py and guards.py stand apart.

Rules that nothing here may break (those about connections and transactions are in store/__init__.py):

1. The rule is said once, in rule.py, coverage.py and absence.py. Statements are built from them; none has a condition
   of its own on a value, a version or an instant. tests/merge compares all of it with spec.py.
2. What makes a claim win is in the claim. Never the number of a file or a delivery, nor the clock, nor what came first.
3. A claim that may have to win later is kept: if its values are not written, its version is, or the newest snapshot
   asserts it. What is about to cease to be asserted is written down first (coverage.py).
4. Which columns are claimed together, and of which kind and key they are, is in every version that is stored. To change
   a group, a kind or a key is a migration of rows: store/migrations.py opens no mirror for which it is missing.
5. A block of a file that is as it was is not read (block_index.py). So whatever changes how a cell is read must change
   the version in loading/content_blocks.py; tests/merge/test_block_index.py notices when the readers have changed.
"""
