"""Jobs, as triggering and awaiting both use them: handle, list, watermark, cancelling."""
