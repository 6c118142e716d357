"""Helpers for every layer above: validation, time and deadlines, per-loop state, pagination."""
