"""What other programs may import: it works, it is documented, and its arguments say their types."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import xlkd

PACKAGE = Path(xlkd.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree_of(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    """`xlkd.data.sources` for its file."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def public(body: list[ast.stmt], inside: str) -> Iterator[tuple[str, ast.ClassDef | Function]]:
    """The classes, functions and methods without an underscore, with their places."""
    for node in body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield f"{inside}.{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{inside}.{node.name}")


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    """Every function of a file, also the private and the inner ones."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield f"{module_of(path)}.{node.name}", node


def test_names_can_be_imported_when_a_module_lists_them() -> None:
    listed = 0
    for path in FILES:
        module = importlib.import_module(module_of(path))
        for name in vars(module).get("__all__", []):
            assert name in vars(module), f"{module.__name__}.{name}"
            listed += 1
    assert listed >= 20


def test_names_are_sorted_when_the_package_lists_them() -> None:
    assert xlkd.__all__ == sorted(xlkd.__all__, key=lambda name: (name != "__version__", name))
    assert len(set(xlkd.__all__)) == len(xlkd.__all__) >= 12


@pytest.mark.parametrize("name", [name for name in xlkd.__all__ if name != "__version__"])
def test_public_name_has_a_docstring_when_it_is_listed(name: str) -> None:
    documented = vars(xlkd)[name].__doc__ or ""
    assert documented.strip().partition("\n")[0].endswith(".")


def inherits(path: Path, place: str) -> bool:
    """Whether a method fills in one of a class above it, which is where it is documented."""
    *_, owner, method = place.split(".")
    kind = vars(importlib.import_module(module_of(path))).get(owner)
    return isinstance(kind, type) and any(method in vars(above) for above in kind.__mro__[1:])


def test_docstring_is_there_when_a_class_or_function_is_public() -> None:
    seen, missing = 0, []
    for path in FILES:
        assert ast.get_docstring(tree_of(path)) is not None or not tree_of(path).body, path
        for place, node in public(tree_of(path).body, module_of(path)):
            seen += 1
            if ast.get_docstring(node) is None and not inherits(path, place):
                missing.append(place)
    assert seen >= 120
    assert missing == []


def test_every_argument_says_its_type_when_a_function_has_some() -> None:
    seen, missing = 0, []
    for path in FILES:
        for place, node in functions(path):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            for argument in given:
                if argument is not None and argument.arg not in ("self", "cls"):
                    seen += 1
                    missing += [] if argument.annotation else [f"{place}({argument.arg})"]
            missing += [] if node.returns else [f"{place} -> ?"]
    assert seen >= 350
    assert missing == []


def test_nothing_is_a_stub_when_it_is_public() -> None:
    seen = 0
    for path in FILES:
        for place, node in functions(path):
            seen += 1
            abstract = any(ast.unparse(decorator) == "abstractmethod" for decorator in node.decorator_list)
            body = [line for line in node.body if not isinstance(line, ast.Expr | ast.Pass)]
            raises = [line for line in body if isinstance(line, ast.Raise) and "NotImplemented" in ast.unparse(line)]
            assert not raises, place
            assert (
                body or abstract or ast.get_docstring(node) or len(node.body) > 1 or isinstance(node.body[0], ast.Expr)
            )
    assert seen >= 220
