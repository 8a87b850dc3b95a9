"""The house stays pleasant: sizes, names, words, and an ARCHITECTURE that is true."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ecgprior"
SOURCES = sorted(PACKAGE.rglob("*.py"))
IDS = [p.relative_to(PACKAGE).as_posix() for p in SOURCES]


def tracked() -> list[Path]:
    """Files of the repository; outside a checkout, those of the package and the tests."""
    try:
        run = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    return [path for line in run.stdout.splitlines() if (path := ROOT / line).is_file()]


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_files_stay_small_and_say_what_they_are(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 600, "over 600 lines: split it"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module says in its first line what it is"


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_public_functions_and_classes_have_docstrings(path):
    bare = [
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not bare


def test_no_folder_or_file_has_a_name_that_says_nothing():
    forbidden = {"utils", "util", "helpers", "helper", "common", "misc", "data", "models"}
    assert not [p for p in PACKAGE.rglob("*") if p.stem.lstrip("_") in forbidden]


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_names_use_our_words(path):
    """Names that we define (not those of libraries that we call) avoid the words of GLOSSARY's last column."""
    publishers = (
        "|exam|exams" if "sources" not in path.parts else ""
    )  # a source may use its publisher's words
    words = re.compile(rf"(^|_)(sfreq|backbone|feats|criterion|downstream{publishers})(_|$)", re.IGNORECASE)
    named = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            named.add(node.name)
        if isinstance(node, ast.arg):
            named.add(node.arg)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            named.add(node.id)
    assert not [name for name in named if words.search(name)]


METHOD_ROOMS = (
    "objectives", "encoders", "augmentations", "record/formats", "corpus/sources", "app/commands",
)  # fmt: skip
METHODS = [p for room in METHOD_ROOMS for p in SOURCES if p.parent == PACKAGE / room and p.stem[0] != "_"]


@pytest.mark.parametrize("path", METHODS, ids=[p.relative_to(PACKAGE).as_posix() for p in METHODS])
def test_a_method_imports_from_its_own_folder_only_base_and_what_is_shared(path):
    named = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            named |= {node.module.split(".")[0]} if node.module else {name.name for name in node.names}
    assert not {n for n in named if n != "base" and n[0] != "_"}


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "FORMAT.md"])
def test_pages_name_only_what_exists(page):
    if not (ROOT / page).is_file():
        pytest.skip(f"{page} is not written yet")
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|cff))`", text)
    examples = {"x.py", "test_x.py", "x.toml", "cospred.py", "cospred.toml", "test_cospred.py"}
    later = {"physiology/", "clinical/", "explain/"}  # floors that pyproject already declares as optional
    written = {"manifest.json", "config.json", "shared/", "demo/"}
    for name in named:
        parts = name.rstrip("/").split("/")
        if parts[-1] in examples or name in later or parts[0] in {"..", *written} or "*" in name:
            continue
        places = [ROOT, PACKAGE, *(ROOT / d for d in ("tests", "docs", "benchmarks"))]
        if not any((place / name).exists() for place in places):
            assert page == "FORMAT.md" or name in written or name.startswith(("demo/", "cells/")), name


def test_nothing_names_a_machine_and_nothing_is_a_recording():
    for path in tracked():
        assert path.suffix not in {".dat", ".mat", ".hea", ".h5", ".hdf5", ".pt", ".pth", ".pkl", ".npz"}, (
            path
        )
        if path.suffix in {".py", ".md", ".toml", ".csv", ".html", ".css", ".cff", ".json", ".yml", ""}:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w.])/(root|work|tmp|home)/", text), path


def test_decisions_are_numbered_without_gaps_and_have_their_three_parts():
    pages = sorted((ROOT / "decisions").glob("*.md"))
    assert [int(p.name[:4]) for p in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for part in ("## Context", "## Choice", "## What would change it"):
            assert part in text, (page.name, part)


def test_every_base_dependency_has_its_reason():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = (ROOT / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    wanted = list(project["dependencies"])
    wanted += [d for extra in project["optional-dependencies"].values() for d in extra]
    for requirement in wanted:
        name = re.match(r"[\w-]+", requirement).group(0)
        family = {"pytest-timeout": "pytest", "pytest-xdist": "pytest"}.get(name, name)
        assert re.search(rf"\b{family}\b", reasons), f"{name} has no reason in decisions/0002"
    for extra in project["optional-dependencies"]:
        assert f"| {extra} |" in reasons


def test_no_print_of_a_blind_except_below_app():
    for path in SOURCES:
        if "app" in path.relative_to(PACKAGE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                blind = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
                assert not blind, f"{path}:{node.lineno}"


def test_the_lowest_versions_are_those_that_pyproject_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["formats"], *extras["download"]]
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    floors = dict(item.split(">=") for item in wanted)
    assert pinned.keys() - {"click"} == floors.keys()
    for name, floor in floors.items():
        assert pinned[name] == floor or pinned[name] == f"{floor}.0", name
