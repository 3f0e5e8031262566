"""Deribit's protocol: sans-IO envelope, shapes and meanings; ``link`` is its only I/O."""
