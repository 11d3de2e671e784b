"""Prompt: nightly exports, event webhooks, tables."""
