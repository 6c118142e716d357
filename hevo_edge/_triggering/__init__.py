"""Exactly one run, and its Job: read, post once, reconcile."""
