"""Three ways to make the next immutable mapping from the last."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def put(mapping: dict[K, V], key: K, value: V) -> dict[K, V]:
    """``mapping`` with ``key`` set to ``value``."""
    return {**mapping, key: value}


def drop(mapping: dict[K, V], key: K) -> dict[K, V]:
    """``mapping`` without ``key``, which need not be there."""
    return {k: v for k, v in mapping.items() if k != key}


def capped(mapping: dict[K, V], key: K, value: V, cap: int) -> dict[K, V]:
    """``mapping`` with ``key`` newest; beyond ``cap`` entries the oldest are forgotten."""
    return dict(list(put(drop(mapping, key), key, value).items())[-cap:])
