"""The rule by which claims become rows: versions, conflict SQL, absence. No I/O beyond the connection handed in."""
