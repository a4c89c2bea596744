"""The pages of documentation: every snippet runs, every dump is the dump, every link leads on."""

import re
from pathlib import Path

import pytest

from pages import DumpError, Page, fences, matches, refreshed
from source_tree import ROOT, expect_none

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")
TARGET = re.compile(r"^([\w-]+):", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z][\w-]*)")

every_page = pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())


@every_page
def test_snippets_run_and_dumps_are_true(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = Page(path, path.relative_to(ROOT).as_posix())
    expect_none(filter(None, map(page.check, fences(path.read_text()))))


@every_page
def test_links_lead_to_files(path: Path) -> None:
    expect_none(
        f"{path.relative_to(ROOT)}: nothing at {link}"
        for link in LINK.findall(CODE.sub("", path.read_text()))
        if not (path.parent / link).exists()
    )


@every_page
def test_commands_are_targets_of_the_makefile(path: Path) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    shells = [fence for fence in fences(path.read_text()) if fence.language == "sh"]
    expect_none(
        f"{path.relative_to(ROOT)}:{fence.line}: the Makefile has no target {name}"
        for fence in shells
        for name in MAKE.findall("\n".join(fence.lines))
        if name not in targets
    )


PAGE = """
```python
text = "a\\nb"
print(1)
```
```output
1
```
```mlir
// text
a
c
```
"""


def test_a_page_is_one_program_and_its_dumps_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    page = Page(path, "page.md")
    assert [page.check(fence) for fence in fences(PAGE)] == [
        None,
        None,
        "page.md:10: `make docs` would show this instead:\n// text\na\nb",
    ]


def test_a_page_is_refreshed(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    assert refreshed(Page(path, "page.md")) == PAGE.replace("a\nc", "a\nb")


def test_a_dump_says_what_prints_it(tmp_path: Path) -> None:
    (fence,) = fences("```llvm\ndefine void @f()\n```")
    page = Page(tmp_path / "page.md", "page.md")
    with pytest.raises(DumpError, match="a dump begins with the expression that prints it"):
        page.shown(fence)
    assert page.check(fence) == (
        "page.md:2: a dump begins with the expression that prints it, "
        'such as `; compiled.ir("loop")`'
    )


def test_a_gap_stands_for_any_number_of_lines() -> None:
    assert matches(["a", "b", "c"], ["a", "  ...", "c"])
    assert matches(["a", "c"], ["a", "...", "c"])
    assert not matches(["a", "b", "c", "d"], ["a", "...", "c"])


FILE = """
```text names/of.txt
ada
```
```console
$ cat names/of.txt
ada
$ cat names/of.txt no 2> errors || true
ada
```
"""


def test_files_and_commands_are_part_of_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = Page(tmp_path / "page.md", "page.md")
    assert [page.check(fence) for fence in fences(FILE)] == [None, None]
    (changed,) = fences("```console\n$ cat names/of.txt\neve\n```")
    assert page.check(changed) == (
        "page.md:2: `make docs` would show this instead:\n$ cat names/of.txt\nada"
    )
    (failing,) = fences("```console\n$ echo oh && false\n```")
    assert page.check(failing) == "line 2: `$ echo oh && false` failed:\noh\n"


def test_an_open_fence_is_refused() -> None:
    with pytest.raises(ValueError, match="the fence of line 2 is not closed"):
        list(fences("text\n```python\n1\n"))
