"""A fault campaign: thousands of random trials of triggering, judged from the emulator's journal."""
