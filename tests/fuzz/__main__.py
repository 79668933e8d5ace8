"""`python -m tests.fuzz TARGET --seconds N`: run a coverage-guided fuzzer on one parser.

Needs atheris, which is not in the locked environment of the tests: no release of it has
wheels for all machines and Pythons that we run on.  It installs nothing.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target

HOW_TO_INSTALL: Final = """\
atheris is not installed here.  Make an environment of its own (CPython 3.11 or newer, Linux
on x86-64) and run the fuzzer from there:

  python3 -m venv .venv-fuzz
  .venv-fuzz/bin/pip install -e . hypothesis atheris
  .venv-fuzz/bin/python -m tests.fuzz all --seconds 60
"""

_HANGS_SECONDS: Final = 10
_MEMORY_MEBIBYTES: Final = 2_048


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", help="a name that --list tells, or all")
    parser.add_argument("--list", action="store_true", help="tell the targets and end")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--seed", type=int, default=0, help="of chance; 0 takes a new one (0)")
    parser.add_argument(
        "--corpus",
        type=Path,
        metavar="FOLDER",
        help="keep inputs that reached something new in FOLDER/TARGET, and begin with them",
    )
    chosen = parser.parse_args()
    names = [target.name for target in TARGETS]
    if not chosen.list and chosen.target not in (*names, "all"):
        parser.error(f"no target {chosen.target!r}; choose from all, {', '.join(names)}")
    return chosen


def _quoted(token: bytes) -> str:
    return '"' + "".join(f"\\x{octet:02x}" for octet in token) + '"\n'


def _fuzz(target: Target, corpus: Path, seconds: int, seed: int) -> bool:
    """Run one target in a process of its own; whether nothing was found."""
    found = corpus / "found" / target.name
    kept = corpus / target.name
    for folder in (found, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(target.seeds):
        (kept / f"seed-{number}").write_bytes(octets)
    words = corpus / f"{target.name}.dict"
    words.write_text("".join(map(_quoted, target.tokens)), "ascii")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz.under_atheris",
            target.name,
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            f"-max_len={target.most_octets}",
            f"-timeout={_HANGS_SECONDS}",
            f"-rss_limit_mb={_MEMORY_MEBIBYTES}",
            f"-dict={words}",
            f"-artifact_prefix={found}/",
            "-print_final_stats=1",
            str(kept),
        ],
        check=False,
    )
    return done.returncode == 0


def main() -> int:
    """Run what was asked for; 1 if any target found something."""
    chosen = _arguments()
    if chosen.list:
        for target in TARGETS:
            print(f"{target.name:18} {target.about}")
        return 0
    if importlib.util.find_spec("atheris") is None:
        sys.exit(HOW_TO_INSTALL)
    ill = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for target in TARGETS:
            if chosen.target not in (target.name, "all"):
                continue
            print(f"== {target.name}: {target.about}", flush=True)
            if not _fuzz(target, chosen.corpus or Path(folder), chosen.seconds, chosen.seed):
                ill.append(target.name)
        if ill and chosen.corpus is None:
            kept = Path(tempfile.mkdtemp(prefix="fuzz-found-"))
            (Path(folder) / "found").rename(kept / "found")
            print(f"== what was found lies in {kept / 'found'}")
    print(f"== found something: {', '.join(ill)}" if ill else "== nothing found")
    return 1 if ill else 0


if __name__ == "__main__":
    sys.exit(main())
