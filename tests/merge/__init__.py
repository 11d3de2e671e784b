"""Tests of the rule: any order, duplication, batching and restart of the same claims gives the same mirror."""
