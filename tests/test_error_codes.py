"""The page of errors: every code that the tree raises stands on it once, with what it says."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from source_tree import ROOT, Module, expect_none, modules

PAGE = ROOT / "docs" / "errors.md"
CODE = re.compile(r"SW\d{4}")
ROW = re.compile(r"^\| (SW\d{4}) \| (.*?) \|")
HOLE = "…"


@dataclass(frozen=True)
class Site:
    """Where a code is given to an error, and the sentence with holes for what differs."""

    module: Module
    line: int
    code: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.code}: {self.sentence}"


def rows() -> list[tuple[str, list[str]]]:
    """The codes of the page, and the sentences beside each."""
    found = (ROW.match(line) for line in PAGE.read_text().splitlines())
    return [(row[1], row[2].split("<br>")) for row in found if row]


def sites() -> Iterator[Site]:
    for module in modules().values():
        for scope in functions(module.tree):
            for call in ast.walk(scope):
                if isinstance(call, ast.Call):
                    yield from sites_of(module, scope, call)


def functions(tree: ast.Module) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def sites_of(module: Module, scope: ast.AST, call: ast.Call) -> Iterator[Site]:
    for code, sentence in zip(call.args, call.args[1:], strict=False):
        if isinstance(code, ast.Constant) and CODE.fullmatch(str(code.value)):
            for text in texts(sentence, scope):
                yield Site(module, call.lineno, str(code.value), text)


def texts(node: ast.expr, scope: ast.AST) -> list[str]:
    """What an expression may say; a name is looked up in the function it stands in."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [str(v.value) if isinstance(v, ast.Constant) else HOLE for v in node.values]
        return ["".join(parts)]
    if isinstance(node, ast.Name):
        return [text for value in assigned(node.id, scope) for text in texts(value, scope)] or [
            HOLE
        ]
    return [HOLE]


def assigned(name: str, scope: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and any(ast.unparse(t) == name for t in node.targets):
            yield node.value


def fits(sentence: str, pattern: str) -> bool:
    """Whether one could say what the other says."""
    return any(
        re.fullmatch(".*".join(map(re.escape, general.split(HOLE))), special)
        for general, special in ((pattern, sentence), (sentence, pattern))
    )


def test_every_code_stands_on_the_page_once() -> None:
    listed = Counter(code for code, _ in rows())
    raised = {
        code
        for module in modules().values()
        for code in re.findall(r'"(SW\d{4})"', module.path.read_text())
    }
    expect_none(
        [f"{code} is raised, and not on the page" for code in sorted(raised - set(listed))]
        + [f"{code} is on the page, and nowhere raised" for code in sorted(set(listed) - raised)]
        + [f"{code} is on the page {count} times" for code, count in listed.items() if count > 1]
    )


def test_codes_are_in_order() -> None:
    codes = [code for code, _ in rows()]
    assert codes == sorted(codes)


def test_a_code_says_what_the_page_says() -> None:
    wanted = dict(rows())
    expect_none(
        f"{site}: the page says {' or '.join(wanted.get(site.code, []))}"
        for site in dict.fromkeys(sites())
        if not any(fits(site.sentence, pattern) for pattern in wanted.get(site.code, []))
    )


@pytest.mark.parametrize(
    ("sentence", "pattern", "fit"),
    [
        ("there is no state …", "there is no …", True),
        ("…", "anything", True),
        ("axis … is given twice", "axis … is missing", False),
    ],
)
def test_sentences_are_compared_with_holes(sentence: str, pattern: str, fit: bool) -> None:
    assert fits(sentence, pattern) is fit
