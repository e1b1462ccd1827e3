"""The house: which module may import which, and where the test of each lies.

What a package may import is said in its docstring, and read from there: in the sentence "It may
import ...", the packages in backticks.
"""

import ast
import graphlib
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import captioner

ROOT = Path(captioner.__file__).parent
TESTS = Path(__file__).parent
DOORS = {"captioner", "captioner.__main__"}  # they only lead to other modules
ROAD = "captioner"  # the package of the modules of the road, which `presets` belongs to

NOT_YET_TESTED = {
    "cells.py", "cli/train.py", "cli/tune.py", "decoder.py", "decoder_settings.py", "encoder.py",
    "training/batches.py", "training/config.py", "training/optimizers.py",
    "training/run_folder.py", "training/stages.py", "training/starting_point.py",
    "training/steps.py", "training/teacher_forcing.py", "training/validation.py",
}  # fmt: skip
NOT_YET_THERE = {"keras_internals.py"}


class Import(NamedTuple):
    """One module of the project that another one imports."""

    source: str
    target: str
    line: int


def name_of(path):
    parts = ("captioner", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
WINGS = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"presets", "cli"}


def package_of(module):
    """The wing that a module is in, `"cli"`, or the road."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in WINGS | {"cli"} else ROAD


def home_of(module, name):
    """The module that `from module import name` reads; public names lead to where they live."""
    whole = f"{module}.{name}"
    if whole in MODULES:
        return whole
    if module == "captioner":
        return captioner._MODULES.get(name) or captioner._HOME.get(name) or module
    return module


def imports_of(module):
    """What a module imports of the project, at its top or inside a function."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno}: imports are absolute here"
            targets = [home_of(node.module, each.name) for each in node.names]
        elif isinstance(node, ast.Import):
            targets = [each.name for each in node.names]
        else:
            continue
        for target in dict.fromkeys(targets):
            if target.partition(".")[0] == "captioner":
                yield Import(module, target, node.lineno)


IMPORTS = [each for module in MODULES for each in imports_of(module) if each.target != "captioner"]


def wrong(condition):
    """The imports for which a condition holds, to be read in a failure."""
    return [
        f"{each.source}:{each.line} imports {each.target}" for each in IMPORTS if condition(each)
    ]


def allowed(wing):
    """The packages that a wing's docstring says it may import, besides the road."""
    tree = ast.parse(MODULES[f"captioner.{wing}"].read_text(encoding="utf-8"))
    sentence = re.search(r"may import ([^.;]+)", ast.get_docstring(tree))
    assert sentence, f"captioner/{wing}/__init__.py does not say what it may import"
    return set(re.findall(r"`(\w+)`", sentence[1])) - {"captioner", "presets"}


def test_the_reader_of_imports_finds_them():
    found = {(each.source, each.target) for each in IMPORTS}
    assert ("captioner.presets", "captioner.lite_captioner") in found
    assert ("captioner.cli.train", "captioner.training.run") in found  # inside a function
    assert ("captioner.training.set_scores", "captioner.metrics") in found  # of the package itself
    assert home_of("captioner", "reports") == "captioner.output.reports"
    assert home_of("captioner", "CaptionerError") == "captioner.errors"


def test_every_import_is_of_a_module_that_exists():
    assert not wrong(lambda each: each.target not in MODULES)


def test_the_road_imports_no_wing():
    assert not wrong(
        lambda each: (
            package_of(each.source) == ROAD != package_of(each.target) and each.source not in DOORS
        )
    )


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_a_wing_imports_what_its_docstring_allows(wing):
    known = {wing, ROAD, *allowed(wing)}
    assert known <= WINGS | {ROAD}
    assert not wrong(
        lambda each: package_of(each.source) == wing and package_of(each.target) not in known
    )


def test_nothing_imports_the_command_line():
    assert not wrong(
        lambda each: (
            package_of(each.target) == "cli" != package_of(each.source) and each.source not in DOORS
        )
    )


def test_the_equations_stand_alone():
    assert not wrong(lambda each: each.source == "captioner.cells")


def test_the_searches_know_no_model():
    """They see only `step(words, state)`: of the project, words and errors."""
    known, new = set(), {"captioner.decoding"}
    while new - known:
        known |= new
        new = {each.target for each in IMPORTS if each.source in known}
    models = {"captioner", "decoder", "encoder", "recurrent", "cells", "attention", "ensemble",
              "reranked", "lite_captioner", "generation", "model_file"}  # fmt: skip
    assert not known & {f"captioner.{name}" for name in models}


def test_there_are_no_circles():
    graph = {module: set() for module in MODULES}
    for each in IMPORTS:
        graph[each.source].add(each.target)
    graphlib.TopologicalSorter(graph).prepare()  # or a CycleError, which names the modules


def test_files_are_replaced_in_one_way():
    pattern = re.compile(r"\bos\.(replace|rename|renames|link)\(|\bshutil\.move\(")
    movers = [
        name for name, path in MODULES.items() if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert movers == ["captioner.files"]


def test_every_module_has_its_test():
    paths = [path.relative_to(ROOT) for path in MODULES.values() if "__" not in path.name]
    missing = {
        path.as_posix()
        for path in paths
        if not (TESTS / path.parent / f"test_{path.name}").exists()
    }
    assert not missing


def test_the_page_names_the_road_and_the_wings():
    page = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    first_cells = " ".join(re.findall(r"^\| (.*?) \|", page, re.M))
    named = set(re.findall(r"`(.*?)`", first_cells))
    road = {path.name for path in ROOT.glob("*.py") if "__" not in path.name}
    folders = {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py")}
    assert named == road | folders
