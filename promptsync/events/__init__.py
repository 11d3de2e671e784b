"""Deliveries to claims, claims to rows."""
