"""What is so: how fresh the mirror is, what needs a person. Reads, and writes nothing."""
