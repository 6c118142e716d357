"""What every layer above uses: validation, time, state of one event loop, pagination."""
