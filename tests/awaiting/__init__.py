"""Tests of waiting: ``hevo_edge._awaiting``."""
