"""The check for other distributions that own our package names."""

import sys
from pathlib import Path

import pytest

from phantom_gateway.ownership import strangers


def test_our_own_packages_are_no_strangers() -> None:
    """As installed here, all four are ours."""
    assert strangers() == []


def test_another_owner_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that brings a package of the same name is told by name, with the remedy."""
    metadata = tmp_path / "squatter-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: squatter\nVersion: 1.0\n")
    (metadata / "top_level.txt").write_text("protocol\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])

    (found,) = strangers()

    assert "protocol" in found
    assert "squatter" in found
