"""What a figure was measured on: printed above every table."""

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("av", "numpy", "onnxruntime", "librosa", "aiogram")


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?")


def describe_machine() -> str:
    """One line of hardware, one of versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    load = f"{os.getloadavg()[0]:.1f}"
    return (
        f"{processor()}, {len(os.sched_getaffinity(0))} cores, load {load}; {platform.platform()}\n"
        f"Python {platform.python_version()}, {versions}"
    )
