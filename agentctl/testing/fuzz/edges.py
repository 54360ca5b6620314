"""Counts which edges between blocks of code an input takes.

`install` puts an import hook before every other: modules of the rooms under test are compiled with
a call at the head of each block (of functions, branches, loops, handlers and parts of expressions).
It must run before those modules are imported.
"""

import ast
import builtins
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Final

ROOMS: Final = ("agentctl.languages.", "agentctl.domain.config.")
_HIT: Final = "__fuzz_hit__"


class Counter:
    """The edges and the steps since the last `reset`."""

    def __init__(self) -> None:
        self.edges: set[int] = set()
        self.steps = 0
        self._last = 0

    def reset(self) -> None:
        """Forgets what was taken."""
        self.edges = set()
        self.steps = 0
        self._last = 0

    def hit(self, block: int) -> None:
        """Notes that *block* was entered; returns nothing, so that ``hit(n) or x`` is x."""
        self.edges.add(self._last << 16 | block)
        self._last = block
        self.steps += 1


def install() -> Counter:
    """Returns the counter of everything that is imported from now on."""
    counter = Counter()
    setattr(builtins, _HIT, counter.hit)
    sys.meta_path.insert(0, _Finder())
    early = [name for name in sys.modules if name.startswith(ROOMS)]
    assert not early, f"imported before they could be instrumented: {early}"
    return counter


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self) -> None:
        self.blocks = _Blocks()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(ROOMS):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, self.blocks)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, blocks: "_Blocks") -> None:
        super().__init__(fullname, path)
        self.blocks = blocks

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002  # the name of the base class
        """Compiles anew, so that no cached code without the calls is taken."""
        tree = self.blocks.visit(ast.parse(self.get_data(self.path), self.path))
        code: CodeType = compile(ast.fix_missing_locations(tree), self.path, "exec")
        return code


class _Blocks(ast.NodeTransformer):
    """Puts a call at the head of every block."""

    def __init__(self) -> None:
        self.count = 0

    def _call(self) -> ast.Call:
        self.count += 1
        return ast.Call(ast.Name(_HIT, ast.Load()), [ast.Constant(self.count)], [])

    def _head(self, body: list[ast.stmt]) -> None:
        documented = (
            isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        )
        body.insert(1 if documented else 0, ast.Expr(self._call()))

    def _counted(self, value: ast.expr) -> ast.expr:
        return ast.BoolOp(ast.Or(), [self._call(), value])

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visits what is inside, then counts the blocks of *node* itself."""
        super().generic_visit(node)
        match node:
            case ast.FunctionDef(body=body) | ast.ExceptHandler(body=body):
                self._head(body)
            case ast.match_case(body=body) | ast.With(body=body):
                self._head(body)
            case ast.If(body=body, orelse=orelse) | ast.For(body=body, orelse=orelse):
                self._head(body)
                if orelse:
                    self._head(orelse)
            case ast.While(body=body):
                self._head(body)
            case ast.IfExp():
                node.body, node.orelse = self._counted(node.body), self._counted(node.orelse)
            case ast.BoolOp():
                node.values[1:] = [self._counted(v) for v in node.values[1:]]
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                node.elt = self._counted(node.elt)
            case _:
                pass
        return node
