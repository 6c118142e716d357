"""A fault campaign: thousands of drawn trials in which triggering is judged by the emulator."""
