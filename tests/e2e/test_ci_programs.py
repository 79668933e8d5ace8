"""`.ci/run` knows which programs are here, whatever the release calls their packages."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).resolve().parents[2] / ".ci" / "run"
TOOLS: Final = ("bash", "dirname")
# All are installed but what is named; a package that is not makes it fail.
DPKG_QUERY: Final = """#!/bin/bash
name="${{@: -1}}"
for known in {absent}; do [[ $name == "$known" ]] && exit 1; done
[[ $name == *t64 && " {renamed} " != *" $name "* ]] && exit 1
echo 'ii '
"""


def said(folder: Path, absent: str, renamed: str = "") -> str:
    """What the script says of programs; it is nobody with rights, and tests come to nothing."""
    (folder / ".ci").mkdir()
    shutil.copy(SCRIPT, folder / ".ci" / "run")
    scripts = {
        "tests/run.sh": "#!/bin/bash\n",
        "bin/id": "#!/bin/bash\necho 1000\n",
        "bin/dpkg-query": DPKG_QUERY.format(absent=absent, renamed=renamed),
    }
    for name, text in scripts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / "bin" / tool).symlink_to(found)
    done = subprocess.run(
        [folder / "bin" / "bash", folder / ".ci" / "run"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PATH": str(folder / "bin")},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_library_under_its_new_name_is_here(tmp_path: Path) -> None:
    told = said(tmp_path, "libgnutls-dane0 libnsl2", "libgnutls-dane0t64 libnsl2t64")
    assert told == "== programs: all here\n"


@pytest.mark.parametrize("absent", ["libgnutls-dane0", "swaks unbound"])
def test_what_is_not_here_is_named(tmp_path: Path, absent: str) -> None:
    assert said(tmp_path, absent).endswith(f"that need them are skipped: {absent}\n")
