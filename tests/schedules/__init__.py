"""Tests of ``hevo_edge.schedules``."""
