"""Parquet proven before Arrow sees it, and read in portions that fit in memory."""
