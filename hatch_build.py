"""Compiles the cores (all that ends in `.pyx`) for a wheel or an editable install. Without a C compiler or Python's
headers the wheel is a pure one: the same functions in Python, at several times their price."""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = ("schemas", "processors", "streams")
EXACT = "-ffp-contract=off"  # a fused multiply-add rounds once instead of twice: other floats than Python's


class Cores(BuildHookInterface[Any]):
    """Hatchling calls it before it packs a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        cores = [str(path.with_suffix("")) for room in ROOMS for path in sorted(Path(room).rglob("*.pyx"))]
        places = [f"{core}{sysconfig.get_config_var('EXT_SUFFIX')}" for core in cores]
        for place in places:
            Path(place).unlink(missing_ok=True)
        if why := lacking():
            self.app.display_warning(f"{', '.join(cores)}: not compiled, Python serves: {why}")
            return
        for core, place in zip(cores, places, strict=True):
            with tempfile.TemporaryDirectory() as scratch:
                Path(place).write_bytes(compiled(core, scratch).read_bytes())
        build_data["pure_python"], build_data["infer_tag"] = False, True
        build_data["artifacts"] += [f"/{place}" for place in places]


def lacking() -> str:
    """What keeps us from compiling; empty: nothing."""
    if sys.implementation.name != "cpython":
        return f"wanted CPython, got {sys.implementation.name}"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    headers = sysconfig.get_path("include")
    asked = [*compiler, f"-I{headers}", "-fsyntax-only", "-x", "c", "-"]
    try:
        answer = subprocess.run(asked, input=b"#include <Python.h>\n", capture_output=True)
    except OSError:
        return f"no C compiler ({compiler[0]})"
    return f"{compiler[0]} finds no Python.h in {headers}" if answer.returncode else ""


def compiled(core: str, scratch: str) -> Path:
    """The extension, made in a directory of its own."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    extension = Extension(core.replace("/", "."), [f"{core}.pyx"], extra_compile_args=[EXACT, "-g0"])
    made = Distribution({"ext_modules": cythonize(extension, build_dir=scratch, language_level=3, quiet=True)})
    command = made.get_command_obj("build_ext")
    command.build_lib = command.build_temp = scratch
    made.run_command("build_ext")
    return Path(command.get_ext_fullpath(extension.name))
