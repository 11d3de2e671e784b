"""Bytes to typed Arrow batches, and file names to what they state. Knows neither store nor merge."""
