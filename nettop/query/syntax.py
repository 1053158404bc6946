"""Text → syntax tree: the grammar of `nettop.query`, and nothing about fields or what values mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from nettop.query import ss
from nettop.query.address import network

MAX_NESTING = 50
"""Parentheses within parentheses."""


class QueryError(ValueError):
    """Why a filter does not parse; `str()` of it is one line."""

    def __init__(self, message: str, column: int, text: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        """Where, as an offset into `text`: 0 is its first character, its length the end."""
        self.text = text


class Term(NamedTuple):
    """A word of the text and where it begins."""

    text: str
    column: int
    quoted: bool = False
    """It stood in quotes: nothing in it is special."""


@dataclass(frozen=True, slots=True)
class Word:
    """A bare or quoted word."""

    term: Term


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, without its slashes."""

    term: Term


@dataclass(frozen=True, slots=True)
class Compare:
    """field op values: true when it is for one of the values."""

    field: Term
    operator: str
    values: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class States:
    """A run of ss's `state` (True) and `exclude` (False) phrases, each with the names it gives."""

    steps: tuple[tuple[bool, tuple[Term, ...]], ...]


@dataclass(frozen=True, slots=True)
class Not:
    node: Node


@dataclass(frozen=True, slots=True)
class And:
    """True for all of the nodes; without any it is the empty filter."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    nodes: tuple[Node, ...]


Node = Word | Pattern | Compare | States | Not | And | Or

_SPACE = re.compile(r"\s*")
_AND = re.compile(r'(?:and(?=[\s()!"]|$)|&&?)', re.IGNORECASE)
_OR = re.compile(r'(?:or(?=[\s()!"]|$)|\|\|?)', re.IGNORECASE)
_NOT = re.compile(r'(?:not(?=[\s()!"]|$)|!(?!=))', re.IGNORECASE)
_WORD = re.compile(r'[^\s()"]+')
_ITEM = re.compile(r'[^\s(),"]+')
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
# A slash ends the pattern where a word could end: /run/docker.sock is a word and not a pattern with something behind.
_REGEX = re.compile(r"/((?:\\.|[^/\\])+)/(?=[\s)]|$)")
# The colon stands tight between its field and its value; with a blank before it, it belongs to a port: dport :443.
_COMPARISON = re.compile(r"([a-z_]\w*)(?:\s*(==|!=|<=|>=|[=<>~])\s*|(:))", re.ASCII | re.IGNORECASE)
_STATES = re.compile(r"(?:(state)|excl(?:ude)?(?:\s+state)?)(?:\s+|$)")
_END = re.compile(rf"({'|'.join(ss.ENDS)})(?:\s+|$)(?:({'|'.join(ss.OPERATORS)})(?:\s+|$))?")


def parse_tree(text: str, *, ss_words: bool) -> Node:
    """The syntax tree of a filter, `And(())` for a blank one; with ss's phrases where these apply. QueryError."""
    return _Parser(text, ss_words).parse()


def words(node: Node) -> tuple[str, ...]:
    """The texts it asks for, in a word or as the value of a field; not those of a regular expression."""
    match node:
        case Word(term):
            return (term.text,)
        case Compare(_, ":" | "=", values):
            return tuple(value.text for value in values)
        case And(nodes) | Or(nodes):
            return tuple(chain.from_iterable(map(words, nodes)))
    return ()


class _Parser:
    """Recursive descent; `at` is the next character, with blanks skipped after every part."""

    def __init__(self, text: str, ss_words: bool) -> None:
        self.text = text
        self.ss_words = ss_words
        self.at = 0
        self._accept(_SPACE)

    def parse(self) -> Node:
        if self._ended():
            return And(())
        node = self._or(0)
        if not self._ended():
            raise QueryError("there is no ( for this )", self.at)
        return node

    def _or(self, depth: int) -> Node:
        nodes = [self._and(depth)]
        while self._keyword(_OR):
            nodes.append(self._and(depth))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _and(self, depth: int) -> Node:
        nodes = [self._not(depth)]
        while self._keyword(_AND) or not (self._ended() or self.text[self.at] == ")" or self._sees(_OR)):
            nodes.append(self._not(depth))
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _not(self, depth: int) -> Node:
        negated = False
        while self._keyword(_NOT):
            negated = not negated
        node = self._atom(depth)
        return Not(node) if negated else node

    def _atom(self, depth: int) -> Node:
        column = self.at
        if self._ended() or self._sees(_AND) or self._sees(_OR) or self.text[column] == ")":
            raise QueryError("expected a condition", column)
        if self.text[column] == "(":
            return self._group(depth + 1)
        if self.text[column] == '"':
            node: Node = Word(self._quoted())
        elif pattern := self._accept(_REGEX):
            node = Pattern(Term(pattern[1], column + 1))
        else:
            node = self._comparison() or (self._ss() if self.ss_words else None) or self._word()
        self._accept(_SPACE)
        return node

    def _group(self, depth: int) -> Node:
        column = self.at
        if depth > MAX_NESTING:
            raise QueryError(f"more than {MAX_NESTING} parentheses within each other", column)
        self.at += 1
        self._accept(_SPACE)
        node = self._or(depth)
        if self._ended():
            raise QueryError("this ( is never closed", column)
        self.at += 1
        self._accept(_SPACE)
        return node

    def _comparison(self) -> Node | None:
        found = _COMPARISON.match(self.text, self.at)
        if not found or self._is_address():
            return None
        field = Term(found[1], self.at)
        operator = found[2] or found[3]
        self.at = found.end()
        if operator == "~":
            return Compare(field, "~", (self._expression(),))
        return Compare(field, "=" if operator == "==" else operator, self._values(f"{field.text}{operator}"))

    def _ss(self) -> Node | None:
        """`state X exclude Y ...` or `dst X`, as in ss; what follows such a word is always its value."""
        steps = []
        while found := self._accept(_STATES):
            steps.append((found[1] is not None, self._values(found[0].rstrip())))
            self._accept(_SPACE)
        if steps:
            return States(tuple(steps))
        column = self.at
        if end := self._accept(_END):
            return Compare(Term(end[1], column), ss.OPERATORS.get(end[2], "="), self._values(end[1]))
        return None

    def _word(self) -> Node:
        column = self.at
        found = self._accept(_WORD)
        if not found or found[0][0] in "=<>~!":
            raise QueryError("a comparison needs a field before it", column)
        return Word(Term(found[0], column))

    def _values(self, before: str) -> tuple[Term, ...]:
        """v1,v2,v3"""
        values = [self._value(before)]
        while self.text[self.at : self.at + 1] == ",":
            self.at += 1
            values.append(self._value(","))
        return tuple(values)

    def _value(self, before: str) -> Term:
        column = self.at
        if self.text[column : column + 1] == '"':
            return self._quoted()
        found = self._accept(_ITEM)
        if not found:
            raise QueryError(f"expected a value after {before}", column)
        return Term(found[0], column)

    def _expression(self) -> Term:
        """The regular expression after ~: in slashes, in quotes, or as it is up to a blank or a ) that closes more."""
        column = self.at
        if self.text[column : column + 1] == '"':
            return self._quoted()
        if slashed := self._accept(_REGEX):
            return Term(slashed[1], column + 1)
        depth = 0
        while not self._ended() and not self.text[self.at].isspace():
            depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
            if depth < 0:
                break
            self.at += 1
        if self.at == column:
            raise QueryError("expected a regular expression after ~", column)
        return Term(self.text[column : self.at], column)

    def _quoted(self) -> Term:
        column = self.at
        found = self._accept(_QUOTED)
        if not found:
            raise QueryError("this quote is never closed", column)
        return Term(re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL), column, quoted=True)

    def _is_address(self) -> bool:
        """Whether the whole word is an IPv6 address, such as fe80::1, though it begins like a field and a colon."""
        word = _WORD.match(self.text, self.at)
        return word is not None and network(word[0]) is not None

    def _ended(self) -> bool:
        return self.at >= len(self.text)

    def _sees(self, pattern: re.Pattern[str]) -> bool:
        return pattern.match(self.text, self.at) is not None

    def _accept(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def _keyword(self, pattern: re.Pattern[str]) -> bool:
        if not self._accept(pattern):
            return False
        self._accept(_SPACE)
        return True
