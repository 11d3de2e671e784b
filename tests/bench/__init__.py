"""Benchmarks: ratios measured in one run, side by side with what they are compared with."""
