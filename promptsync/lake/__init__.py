"""Beyond one machine: the same rule over Delta tables, which any warehouse reads.

Deliveries and files lie in an object store; ``decode`` turns each into typed claims, ``fold_sql`` says the rule
(promptsync/merge/spec.py) as one aggregate, an engine runs it, ``tables`` commits what comes out. A claim's version is
in the claim, so at least once everywhere, in any order and on any number of machines, gives the same tables.

Nothing below imports this room. Its libraries (deltalake, duckdb) are an extra and are imported by it alone.
"""
