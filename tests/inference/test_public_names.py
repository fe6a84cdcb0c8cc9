"""The package's public names."""

import subprocess
import sys

import pytest

import inference


@pytest.mark.parametrize("name", inference.__all__)
def test_public_name_is_there(name: str) -> None:
    assert getattr(inference, name).__name__ == name


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        _ = inference.nothing_of_ours


def test_importing_the_package_loads_no_library() -> None:
    code = (
        "import sys, inference, inference.errors, inference.tags; print({'numpy', 'av'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
