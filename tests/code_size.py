"""How many lines of code a text has, and how long and how deeply nested its functions are."""

import ast
import io
import re
import tokenize
from typing import NamedTuple

_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
_C_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_C_SCOPE = re.compile(r"\b(namespace|struct|class|union|enum|extern)\b[^;(){}]*$")
_C_BLOCK = re.compile(r"\b(if|for|while|switch|catch)\s*(constexpr\s*)?\(.*\)\s*$|\b(else|do|try)\s*$", re.DOTALL)
_C_FUNCTION = re.compile(r"([\w~]+|operator\S+)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)[\w\s:,&*<>(){}.\->]*$")


class Function(NamedTuple):
    name: str
    n_lines: int
    nesting: int


def code_lines_python(text: str) -> int:
    return len(_python_code_lines(text))


def python_functions(text: str) -> list[Function]:
    lines = _python_code_lines(text)
    return [
        Function(node.name, sum(node.lineno <= line <= node.end_lineno for line in lines), _python_nesting(node))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _python_code_lines(text: str) -> set[int]:
    """Numbers of the lines that hold something else than comments and docstrings."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return lines


def _python_nesting(node: ast.AST) -> int:
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, _python_nesting(child) + (isinstance(child, _BLOCKS) and not is_elif))
    return deepest


def _c_code(text: str) -> str:
    """The text with comments and the insides of literals blanked, its line breaks kept."""
    text = _C_TEXT.sub(lambda match: '""' if match[0][0] in "\"'" else re.sub(r"[^\n]", " ", match[0]), text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.M)


def code_lines_c(text: str) -> int:
    bare = _C_TEXT.sub(lambda match: match[0] if match[0][0] in "\"'" else re.sub(r"[^\n]", " ", match[0]), text)
    return sum(bool(line.strip()) for line in bare.splitlines())


def c_functions(text: str) -> list[Function]:
    """Functions with a body, found by their braces; a lambda counts as part of its function."""
    code = _c_code(text)
    found, open_braces, brackets = [], [], []
    head = 0
    for match in re.finditer(r"[(){};]", code):
        sign, before = match[0], code[head : match.start()]
        if sign == "(":
            brackets.append(sign)
        elif sign == ")":
            brackets.pop()
        elif sign == "{":
            brackets.append(sign)
            open_braces.append((*_kind_of_brace(before, open_braces), match.start()))
        elif sign == "}":
            brackets.pop()
            kind, name, nesting, start = open_braces.pop()
            if kind == "function":
                n_lines = sum(bool(line.strip()) for line in code[start : match.end()].splitlines())
                found.append(Function(name, n_lines, nesting[0]))
        if sign in "{}" or (sign == ";" and "(" not in brackets[-1:]):
            head = match.end()
    return found


def _kind_of_brace(before: str, open_braces: list) -> tuple[str, str, list[int]]:
    """Classify an open brace by the text before it: scope, function, block (if, for, ...) or other (a list)."""
    inside = next((brace for brace in reversed(open_braces) if brace[0] == "function"), None)
    if inside is None:
        function = _C_FUNCTION.search(before)
        if function and not _C_SCOPE.search(before):
            return "function", function[1], [0]
        return "scope", "", [0]
    kind = "block" if _C_BLOCK.search(before) else "other"
    depth = sum(brace[0] == "block" for brace in open_braces) + (kind == "block")
    inside[2][0] = max(inside[2][0], depth)
    return kind, "", inside[2]
