"""Tests of the emulator by itself, without the client it serves."""
