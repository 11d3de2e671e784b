"""Places: where files that others write lie, and how they are listed and read.

One contract (place.py), an adapter for each kind of place, and the download of one file. Nothing here knows the mirror,
nor what is in a file.
"""
