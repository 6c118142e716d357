"""Thousands of Jobs awaited in one call budget."""
