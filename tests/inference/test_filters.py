"""The mel filter bank is librosa's, and a process that has it has not loaded librosa."""

import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest

from inference import filters
from inference.config import FeatureConfig
from inference.errors import EngineError

CONFIG = FeatureConfig()
OTHER = FeatureConfig(sr=16_000, n_fft=1024, n_mels=40, fmin=50.0, fmax=8000.0)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, and nothing remembered from other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    filters.mel_filters.cache_clear()
    return tmp_path / "audio-highlight"


@pytest.mark.slow
@pytest.mark.parametrize("config", [CONFIG, OTHER])
def test_mel_filters_are_librosas(config: FeatureConfig) -> None:
    weights, centres = filters.mel_filters(config)
    expected = librosa.filters.mel(
        sr=config.sr, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.fmin, fmax=config.fmax
    )
    np.testing.assert_array_equal(weights.toarray(), expected)
    edges = librosa.mel_frequencies(config.n_mels + 2, fmin=config.fmin, fmax=config.fmax)
    np.testing.assert_array_equal(centres, edges[1:-1].astype(np.float32))


@pytest.mark.slow
def test_the_bank_is_made_once(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = filters.mel_filters(OTHER)
    filters.mel_filters.cache_clear()
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    kept, _ = filters.mel_filters(OTHER)
    np.testing.assert_array_equal(kept.toarray(), made.toarray())


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"half"])
def test_a_damaged_file_is_made_again(cache_folder: Path, damage: bytes) -> None:
    made, _ = filters.mel_filters(OTHER)
    (kept,) = cache_folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if damage == b"half" else damage)
    filters.mel_filters.cache_clear()
    again, _ = filters.mel_filters(OTHER)
    np.testing.assert_array_equal(again.toarray(), made.toarray())
    assert kept.read_bytes() == whole


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert filters.mel_filters(OTHER)[0].shape == (40, 513)


def test_a_bank_that_cannot_be_made_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    with pytest.raises(EngineError, match="mel filter bank"):
        filters.mel_filters(OTHER)


@pytest.mark.slow
def test_a_warm_worker_has_not_loaded_librosa() -> None:
    code = (
        "import sys\nfrom inference.warmup import warm_up\nwarm_up()\n"
        "print({'librosa', 'numba', 'llvmlite'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
