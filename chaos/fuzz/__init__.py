"""Hostile frames by the million: whatever the exchange says, nothing of ours may fall over it."""
