"""The wheel that people install: built from a clean copy, complete, every module of it imported."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", "*.egg-info", "build", "dist")
KINDS = {".py", ".toml", ".csv", ".json", ".onnx", ".html", ".css"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel from a copy that holds nothing but what hatchling needs."""
    clean = tmp_path_factory.mktemp("clean")
    shutil.copytree(ROOT / "src", clean / "src", ignore=IGNORED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clean / name)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(clean)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_what_the_source_tree_holds(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("ecgprior/")}
    source = ROOT / "src"
    wanted = {
        p.relative_to(source).as_posix()
        for p in (source / "ecgprior").rglob("*")
        if p.suffix in KINDS
    }
    assert held == wanted
    assert {Path(name).suffix for name in held} == KINDS
    assert {"ecgprior/app/report/page.html", "ecgprior/physiology/delineator.onnx"} <= held


@pytest.mark.slow
def test_it_installs_and_every_module_imports(wheel, tmp_path):
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    command += ["--disable-pip-version-check", "--no-compile", "--target", str(target), str(wheel)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    code = """
import importlib, json, pathlib, sys
import ecgprior
root = pathlib.Path(ecgprior.__file__).parent
names = []
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root.parent).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    if parts[-1] != "__main__":  # importing it runs the command
        importlib.import_module(".".join(parts))
        names.append(".".join(parts))
from ecgprior.recipe import read_recipe, recipe_names
from ecgprior import lookup
kinds = {kind: recipe_names(kind) for kind in ("pretrain", "benchmark")}
for kind, found in kinds.items():
    for name in found:
        read_recipe(kind, name)
print(json.dumps({"root": str(root), "names": names, "kinds": kinds, "sources": lookup.names("corpus.sources")}))
"""
    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    assert said["root"] == str(target / "ecgprior"), "imported from the wheel, not from the source tree"
    assert len(said["names"]) > 60 and said["kinds"]["pretrain"] and said["sources"]
