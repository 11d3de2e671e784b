"""The life of a file: recognised, proven, staged, compared, judged, merged, reported."""
