"""The rule by which claims become rows. No I/O beyond the connection handed in.

Everything that arrives is a claim: "at this version, these columns of this row had these values". The mirror is a
function of the SET of claims, regardless of order, batches, repetitions and kills in between. Read in this order:
spec.py (the rule in plain Python, the reference), version.py (what is compared), layout.py (what shares a
version), rule.py (values), coverage.py and absence.py (why each hidden column exists); then bulk_sql.py, claim_sql.py
and parts.py (files) and event_sql.py (deliveries), which only put these together. block_index.py and guards.py stand
apart.

Rules that nothing here may break (those about connections and transactions are in store/__init__.py):

1. The rule is stated once, in rule.py, coverage.py and absence.py. Statements are built from them; none has its own
   condition on a value, a version or an instant. tests/merge compares all of them with spec.py.
2. What makes a claim win is in the claim. Never use the number of a file or a delivery, the clock or the order of
   arrival.
3. A claim that may have to win later is kept: if its values are not written, its version is, or the newest snapshot
   asserts it. What is about to be no longer asserted is written down first (coverage.py).
4. Every stored version depends on which columns are claimed together, and on their kinds and keys. Changing a group, a
   kind or a key needs a migration of rows: store/migrations.py refuses a mirror for which it is missing.
5. An unchanged block of a file is not read (block_index.py). So any change to how a cell is read must change the
   version in loading/content_blocks.py; tests/merge/test_block_index.py notices when the readers have changed.
"""
