"""csrc/README.md names every file there is, and none that is not."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
README = (REPOSITORY / "csrc" / "README.md").read_text(encoding="utf-8")


def test_every_file_named_exists():
    named = re.findall(r"`((?:core|shared|bindings|src|tests)/[\w/]+\.\w+)`", README)
    assert len(named) > 40
    for name in named:
        assert (REPOSITORY / "csrc" / name).exists() or (REPOSITORY / name).exists(), f"{name} does not exist"


def test_every_file_of_core_and_shared_is_named():
    for path in sorted((REPOSITORY / "csrc").glob("*/*")):
        folder, stem = path.parent.name, path.name.partition(".")[0]
        assert folder == "bindings" or f"{folder}/{stem}." in README, f"the layout leaves {folder}/{path.name} out"
