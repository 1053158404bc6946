"""Syntax tree → predicate: closures over the getters of a view's fields.

A table of 42,000 rows is filtered at every tick and every key, so the closures are made for it: what can be decided
when the filter is compiled is not decided again for a row.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nettop.fields import Field, Kind, View, unknown_field
from nettop.query import ss
from nettop.query.syntax import And, Compare, Node, Not, Or, Pattern, QueryError, States, Term, Word
from nettop.query.texts import (
    Memo,
    TestMaker,
    TextTest,
    address_test,
    any_of,
    contains,
    is_host,
    pattern,
    state_steps,
    state_test,
    text_test,
)
from nettop.query.values import UNKNOWN, Span, moment, moments, number, span

Predicate = Callable[[Any, float], bool]
"""(row, now) → whether the row passes."""

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_tree(tree: Node, view: View, columns: Iterable[str]) -> Predicate:
    """The predicate of a filter over the rows of a view whose visible columns these are; QueryError."""
    return _Compiler(view, columns).compile(tree)


class _Compiler:
    def __init__(self, view: View, columns: Iterable[str]) -> None:
        self.view = view
        self.columns = [view.fields[name] for name in columns]
        self.ss_words = ss.understood_by(view)

    def compile(self, node: Node) -> Predicate:
        match node:
            case Word(term):
                return self._word(term)
            case Pattern(term):
                return self._anywhere(pattern(term))
            case Compare():
                return self._compare(node)
            case States(steps):
                return _text(self.view.fields["state"], state_steps(steps))
            case Not(negated):
                return _opposite(self.compile(negated))
            case And(nodes) | Or(nodes):
                join = _all_of if isinstance(node, And) else _any_of
                return join([self.compile(n) for n in nodes])

    # --- words ---

    def _word(self, term: Term) -> Predicate:
        text = term.text
        if not term.quoted and self.ss_words and is_host(text):
            return self._host(Compare(Term("host", term.column), "=", (term,)))
        found = self._anywhere(contains(text))
        if text.isascii() and text.isdigit() and not term.quoted:
            ports = [_number(f, "=", (term,)) for f in self.columns if f.kind is Kind.PORT]
            return _any_of([found, *ports])
        return found

    def _anywhere(self, test: TextTest) -> Predicate:
        """Whether a visible text column passes."""
        memo = Memo(test)
        getters = tuple(f.get for f in self.columns if f.kind in (Kind.TEXT, Kind.ADDRESS))

        def in_text(row: Any, now: float) -> bool:
            for get in getters:  # noqa: SIM110  # any() would make a generator for every row
                if memo[get(row, now)]:
                    return True
            return False

        lists = [_listed(f, test, unknown=False) for f in self.columns if f.kind is Kind.LIST]
        return _any_of([in_text, *lists])

    # --- comparisons ---

    def _compare(self, node: Compare) -> Predicate:
        if node.operator == "!=":
            return _opposite(self._compare(Compare(node.field, "=", node.values)))
        name = node.field.text
        if self.ss_words and name in ss.HOSTS:
            return self._host(node)
        if name == "netns" and "netns_name" in self.view.fields:
            return self._netns(node)
        names = ss.ALIASES.get(name, (name,)) if self.ss_words else (name,)
        return _any_of([self._field(self._known(each, node.field.column), node) for each in names])

    def _known(self, name: str, column: int) -> Field:
        if name not in self.view.fields:
            raise QueryError(unknown_field(name, self.view), column)
        return self.view.fields[name]

    def _field(self, field: Field, node: Compare) -> Predicate:
        if field.kind is Kind.TIME:
            return _time(field, node.operator, node.values)
        if field.kind.numeric:
            return _number(field, node.operator, node.values)
        if node.operator in _ORDERINGS:
            raise QueryError(f"{field.name} is not a number: use : = != or ~", node.field.column)
        values, unknown = _split_unknown(node)
        make = self._test_maker(field, node.operator)
        test = any_of([make(value) for value in values])
        if field.kind is Kind.LIST:
            return _listed(field, test, unknown)
        return _text(field, test, unknown)

    def _test_maker(self, field: Field, op: str) -> TestMaker:
        if field.kind is Kind.ADDRESS:
            return address_test(op)
        if self.ss_words and field.name == "state":
            return state_test(op)
        return text_test(op)

    def _netns(self, node: Compare) -> Predicate:
        """A namespace by its number or by its name; a number may be the name of one, too."""
        by_number, by_name = self.view.fields["netns"], self.view.fields["netns_name"]
        if node.operator in _ORDERINGS:
            return _number(by_number, node.operator, node.values)
        if node.operator == "~":
            return self._field(by_name, node)
        numbers = tuple(v for v in node.values if v.text[:1].isdigit() or v.text == UNKNOWN)
        names = tuple(v for v in node.values if v.text != UNKNOWN or v.quoted)
        found = []
        for value in numbers:
            try:
                found.append(_number(by_number, "=", (value,)))
            except QueryError:  # 2nd-floor is a name
                continue
        if names:
            found.append(self._field(by_name, Compare(node.field, node.operator, names)))
        return _any_of(found)

    def _host(self, node: Compare) -> Predicate:
        """src, dst, host, addr: ADDRESS[:PORT], any of them, at one end or at either."""
        ends = [(self.view.fields[a], self.view.fields[p]) for a, p in ss.HOSTS[node.field.text]]
        if node.operator == "~":
            return _any_of([self._field(address, node) for address, _ in ends])
        if node.operator in _ORDERINGS:
            raise QueryError(f"{node.field.text} is an address: use : = != or ~", node.field.column)
        return _any_of([self._end(address, port, node, value) for value in node.values for address, port in ends])

    def _end(self, address: Field, port: Field, node: Compare, value: Term) -> Predicate:
        if value.quoted:
            return self._field(address, Compare(node.field, node.operator, (value,)))
        host, service = ss.split_host(value.text)
        conditions = []
        if host is not None:
            term = Term(host, value.column + value.text.find(host))
            conditions.append(self._field(address, Compare(node.field, node.operator, (term,))))
        if service is not None:
            term = Term(service, value.column + len(value.text) - len(service))
            conditions.append(_number(port, "=", (term,)))
        return _all_of(conditions) if conditions else lambda _row, _now: True


# --- combining -------------------------------------------------------------------------------------------------------


def _opposite(predicate: Predicate) -> Predicate:
    return lambda row, now: not predicate(row, now)


def _all_of(predicates: Sequence[Predicate]) -> Predicate:
    """Halved rather than chained, so that a thousand conditions are ten calls deep and two cost one closure."""
    if len(predicates) == 1:
        return predicates[0]
    middle = len(predicates) // 2
    first, second = _all_of(predicates[:middle]), _all_of(predicates[middle:])
    return lambda row, now: first(row, now) and second(row, now)


def _any_of(predicates: Sequence[Predicate]) -> Predicate:
    if len(predicates) == 1:
        return predicates[0]
    middle = len(predicates) // 2
    first, second = _any_of(predicates[:middle]), _any_of(predicates[middle:])
    return lambda row, now: first(row, now) or second(row, now)


# --- numbers ---------------------------------------------------------------------------------------------------------


def _number(field: Field, op: str, values: tuple[Term, ...]) -> Predicate:
    get: Callable[[Any, float], Any] = field.get
    if op in _ORDERINGS:
        compare, bound = _ORDERINGS[op], number(_only(values, op), field.kind)
        return lambda row, now: (value := get(row, now)) is not None and compare(value, bound)
    _reject_pattern(field, op, values)
    spans = [span(v, field.kind) for v in values if not _is_unknown(v)]
    known = [_within(get, s) for s in spans]
    if len(known) < len(values):
        known.append(lambda row, now: get(row, now) is None)
    return _any_of(known)


def _within(get: Callable[[Any, float], Any], bounds: Span) -> Predicate:
    low, high = bounds
    if low == high:
        return lambda row, now: low == get(row, now)
    return lambda row, now: (value := get(row, now)) is not None and low <= value <= high


def _time(field: Field, op: str, values: tuple[Term, ...]) -> Predicate:
    get: Callable[[Any, float], Any] = field.get
    if op in _ORDERINGS:
        compare, (at, _) = _ORDERINGS[op], moment(_only(values, op))
        return lambda row, now: (value := get(row, now)) is not None and compare(value, at(now))
    _reject_pattern(field, op, values)

    def within(value: Term) -> Predicate:
        if _is_unknown(value):
            return lambda row, now: get(row, now) is None
        begin, end = moments(value)
        return lambda row, now: (when := get(row, now)) is not None and begin(now) <= when < end(now)

    return _any_of([within(v) for v in values])


def _only(values: tuple[Term, ...], op: str) -> Term:
    if len(values) > 1:
        raise QueryError(f"{op} takes one value", values[1].column)
    return values[0]


def _reject_pattern(field: Field, op: str, values: tuple[Term, ...]) -> None:
    if op == "~":
        raise QueryError(f"{field.name} is a number: use = != < <= > >=", values[0].column)


# --- text ------------------------------------------------------------------------------------------------------------


def _text(field: Field, test: TextTest, unknown: bool = False) -> Predicate:
    memo, get = Memo(test, unknown), field.get
    return lambda row, now: memo[get(row, now)]


def _listed(field: Field, test: TextTest, unknown: bool) -> Predicate:
    """Whether an item passes: a text, or the comm or pid of an owner. An empty list is an unknown one."""
    get: Callable[[Any, float], Any] = field.get

    def passes(row: Any, now: float) -> bool:
        items = get(row, now)
        return any(test(text) for item in items for text in _texts(item)) if items else unknown

    return passes


def _texts(item: Any) -> Iterable[str]:
    return (item["comm"] or "", str(item["pid"])) if isinstance(item, dict) else (item,)


def _is_unknown(value: Term) -> bool:
    return value.text == UNKNOWN and not value.quoted


def _split_unknown(node: Compare) -> tuple[tuple[Term, ...], bool]:
    """The values without `-`, and whether that is one of them; only = gives it a meaning."""
    if node.operator != "=":
        return node.values, False
    known = tuple(v for v in node.values if not _is_unknown(v))
    return known, len(known) < len(node.values)
