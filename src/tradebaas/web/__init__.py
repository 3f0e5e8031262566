"""HTTP: health, metrics and the operator's commands, in the shell.

Reads what the actors publish and asks the persister through a ``Door``; owns nothing and decides
nothing. It outlives lives, so it can say ``recovering`` while the crew restarts, and whatever
fails in here must not reach the crew.
"""
