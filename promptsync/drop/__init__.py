"""The watched folder: which files have come to rest, what is made of each, where it is kept afterwards."""
