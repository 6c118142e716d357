"""HTTP: one request loop, one limiter. The only inner package that imports aiohttp."""
