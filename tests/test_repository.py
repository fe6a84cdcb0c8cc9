"""What the repository promises about itself: pinned, host-free locks, a lean product, no token."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def requirements(lock: Path) -> dict[str, str]:
    """Name -> its block of lines in the lock file."""
    blocks: dict[str, str] = {}
    name = ""
    for line in lock.read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9_.-]+)(\[[^\]]*\])?==", line):
            name = match[1].lower()
            blocks[name] = ""
        if name:
            blocks[name] += line + "\n"
    return blocks


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_has_a_hash(lock: Path) -> None:
    blocks = requirements(lock)
    assert len(blocks) > 20
    assert [name for name, block in blocks.items() if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_lock_names_no_host(lock: Path) -> None:
    assert re.findall(r"^.*(?:https?://|index-url|find-links).*$", lock.read_text(), flags=re.MULTILINE) == []


@pytest.mark.parametrize("lock", ["run", "scale", "watchdog", "dev"])
def test_product_never_pulls_training_packages(lock: str) -> None:
    heavy = {"torch", "torchaudio", "tensorflow", "jax", "libfmp", "pychorus"}
    assert heavy.isdisjoint(requirements(ROOT / "requirements" / f"{lock}.txt"))


def test_watchdog_carries_no_audio_stack() -> None:
    audio = {"numpy", "librosa", "av", "onnxruntime", "scipy", "soxr", "pydub", "numba"}
    assert audio.isdisjoint(requirements(ROOT / "requirements" / "watchdog.txt"))


def test_locks_agree_on_versions() -> None:
    pins = {
        lock.stem: {name: block.split(" \\", 1)[0] for name, block in requirements(lock).items()}
        for lock in LOCKS
    }
    for stem, packages in pins.items():
        differing = {name for name, pin in packages.items() if pins["dev"].get(name, pin) != pin}
        assert differing == set(), stem


@pytest.mark.parametrize("document", ["SECURITY.md", "deploy/OPERATIONS.md"])
def test_every_test_that_a_table_names_exists(document: str) -> None:
    named = set(re.findall(r"`((?:tests/|scripts/|)[\w/]+\.py)`", (ROOT / document).read_text()))
    present = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    assert len(named) > 5
    assert {
        name for name in named if not any(path == name or path.endswith(f"/{name}") for path in present)
    } == set()


@pytest.mark.parametrize("lock", ["run", "scale", "dev"])
def test_pydub_finds_its_audio_module_where_the_standard_library_has_none(lock: str) -> None:
    blocks = requirements(ROOT / "requirements" / f"{lock}.txt")
    assert "pydub" in blocks
    first_line = blocks["audioop-lts"].splitlines()[0]
    assert "python_full_version >= '3.13'" in first_line


@pytest.mark.slow
def test_every_module_can_be_imported_without_a_warning() -> None:
    """By this interpreter: `make PYTHON=python3.13 test` asks another one."""
    code = (
        "import importlib, pkgutil\n"
        "for name in ('inference', 'bot', 'sandbox', 'watchdog'):\n"
        "    package = importlib.import_module(name)\n"
        "    for module in pkgutil.walk_packages(package.__path__, name + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "from inference.mixing.silence import n_audible\n"
        "import numpy\n"
        "assert n_audible(numpy.ones((2, 48_000), numpy.float32), 48_000) == 48_000\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_tree_holds_no_bot_token_but_the_made_up_ones() -> None:
    """A real token is 8-10 digits, a colon and 35 signs; the tests' tokens say that they are made up."""
    token = re.compile(rb"\b\d{8,10}:[A-Za-z0-9_-]{35}\b")
    found = [
        (path.relative_to(ROOT).as_posix(), match.decode())
        for path in tracked_files()
        if path.is_file() and path.stat().st_size < 1_000_000
        for match in token.findall(path.read_bytes())
    ]
    assert [(path, match) for path, match in found if "sandbox" not in match.lower()] == []
