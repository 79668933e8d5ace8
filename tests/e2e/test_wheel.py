"""The wheel carries all that the program needs, and works where no checkout is."""

import configparser
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

LOOK: Final = """
from mailbox_server.store.migration_child import migrations
print(migrations())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    made = tmp_path_factory.mktemp("wheel")
    command = ("-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index")
    done = subprocess.run(
        (sys.executable, *command, "-w", str(made), str(ROOT)),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (found,) = made.glob("*.whl")
    return found


def test_what_is_no_module_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (points,) = (name for name in names if name.endswith("/entry_points.txt"))
        entry = configparser.ConfigParser()
        entry.read_string(archive.read(points).decode())
    for folder, inside in (("migrations", "migrations"), ("mailbox_server/ops/templates",) * 2):
        kept = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        wanted = [path for path in kept if "__pycache__" not in path.parts]
        assert wanted
        for path in wanted:
            name = path.relative_to(ROOT).as_posix()
            inside_wheel = name if inside != "migrations" else f"mailbox_server/{name}"
            assert inside_wheel in names
    assert "mailbox_server/config.example.toml" in names
    assert entry["console_scripts"]["mailbox-server"]
    assert not [name for name in names if name.startswith("tests/")]


def test_an_installed_one_makes_its_store(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    surroundings = {**os.environ, "PYTHONPATH": str(installed)}

    def run(*words: str) -> str:
        done = subprocess.run(
            (sys.executable, *words),
            cwd=tmp_path,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert Path(run("-c", LOOK).strip()) == installed / "mailbox_server" / "migrations"
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\nhostname = "mail.example.test"\ndata = "{tmp_path / "data"}"\n')
    run("-m", "mailbox_server", "--config", str(config), "domain", "add", "example.test")
    listed = run("-m", "mailbox_server", "--config", str(config), "domain", "list")
    assert "example.test" in listed
