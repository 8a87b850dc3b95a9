"""Every command: it has a help that says what it does, and asking for it imports nothing heavy."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ecgprior
from ecgprior import lookup

HEAVY = {
    "torch",
    "scipy",
    "matplotlib",
    "polars",
    "sklearn",
    "onnxruntime",
    "numpy",
    "pandas",
    "wfdb",
    "jinja2",
}
COMMANDS = lookup.names("app.commands")


def loaded(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running `code`."""
    after = "import sys, json; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\n{after}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_heavy():
    assert loaded("import ecgprior") & HEAVY == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name.replace("_", "-"), "--help"] for name in COMMANDS)]
)
def test_help_imports_nothing_heavy(arguments):
    code = f"""
import sys
sys.argv = ["ecgprior", *{arguments!r}]
from ecgprior.app.main import main
try:
    main()
except SystemExit as done:
    assert done.code in (0, None), done.code
"""
    assert loaded(code) & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name):
    from ecgprior.app.main import app

    run = CliRunner().invoke(app, [name.replace("_", "-"), "--help"])
    assert run.exit_code == 0, run.output
    said = (lookup.module("app.commands", name).command.__doc__ or "").strip()
    assert len(said) > 20 and said[0].isupper(), "the function's docstring is what --help prints"


def test_the_list_of_commands_is_the_folder():
    from ecgprior.app.main import app

    said = CliRunner().invoke(app, ["--help"]).output
    assert all(name.replace("_", "-") in said for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_files_import_little_at_the_top(name):
    path = Path(ecgprior.__file__).parent / "app" / "commands" / f"{name}.py"
    light = {"__future__", "pathlib", "typing", "typer", "collections.abc", "enum"}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= light, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module in light, ast.unparse(node)


def test_our_errors_are_one_line_and_status_one(tmp_path):
    command = [
        sys.executable,
        "-m",
        "ecgprior",
        "plot",
        str(tmp_path / "no.hea"),
        "--to",
        str(tmp_path / "x.svg"),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and run.stdout == ""
    assert (
        run.stderr.startswith("ecgprior: ") and run.stderr.count("\n") == 1 and "Traceback" not in run.stderr
    )
