"""The stubs say what the package has, and the package is well typed."""

import importlib
import inspect
import pathlib
import subprocess
import sys

import pytest

import keyslot

PACKAGE = pathlib.Path(keyslot.__file__).parent


def mypy(*arguments, tmp_path):
    command = [sys.executable, "-m", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr


def test_stubs_agree_with_the_package(tmp_path):
    mypy("mypy.stubtest", "keyslot", tmp_path=tmp_path)


def test_the_package_is_well_typed(tmp_path):
    mypy("mypy", "--strict", "-p", "keyslot", tmp_path=tmp_path)


def test_users_see_the_types(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from keyslot import Engine\n"
        "engine = Engine(shards=4, settings={'maxmemory': 0})\n"
        "value: bytes | None = engine.get('key')\n"
        "count: int = engine.incr('n', 2)\n"
        "with engine as same, same.session() as session:\n"
        "    session.feed(b'PING\\r\\n')\n"
        "    name: str | None = session.client_getname()\n"
        "with engine.pipeline() as pipe:\n"
        "    pipe.set('key', 'value')\n"
        "    results: list[object] = pipe.execute(raise_on_error=False)\n"
    )
    mypy("mypy", "--strict", str(program), tmp_path=tmp_path)


def test_the_marker_is_installed():
    assert (PACKAGE / "py.typed").exists()
    assert (PACKAGE / "_keyslot.pyi").exists()


def public_members(kind):
    return [name for name in dir(kind) if not name.startswith("_")]


@pytest.mark.parametrize("kind", [keyslot.Engine, keyslot.Session, keyslot.Pipeline, keyslot.ManualClock])
def test_everything_public_says_what_it_does(kind):
    assert kind.__doc__
    for name in public_members(kind):
        assert inspect.getdoc(getattr(kind, name)), f"{kind.__name__}.{name}"


def test_every_native_name_is_in_the_stub():
    stub = (PACKAGE / "_keyslot.pyi").read_text()
    native = importlib.import_module("keyslot._keyslot")
    for class_name in native.__all__:
        assert f"class {class_name}" in stub
        for name in public_members(getattr(native, class_name)):
            assert f"def {name}(" in stub, f"{class_name}.{name}"


def test_docstring_of_the_package_holds():
    import doctest

    assert doctest.testmod(keyslot).failed == 0
