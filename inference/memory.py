"""Handing freed memory back to the system."""

import ctypes


def give_memory_back() -> None:
    """Return freed pages: glibc keeps the peak of the longest track otherwise. Does nothing without glibc."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
