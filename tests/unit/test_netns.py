"""What a network namespace is called."""

from __future__ import annotations

import pytest

from nettop.kernel.netns import Mount, NamespaceLost, describe

IDENTITY = (4, 4026532177)


def mount(name: str) -> Mount:
    return Mount(f"/run/netns/{name}", name, IDENTITY)


@pytest.mark.parametrize(
    ("mounts", "holder", "container", "expected"),
    [
        ([], 42, None, (None, "anonymous")),
        (["web"], 42, None, ("web", "named")),
        (["web"], None, None, ("web", "orphan")),
        ([], None, None, (None, "orphan")),
        ([], 42, "3f5a", ("3f5a", "container")),
        (["web"], 42, "3f5a", ("web", "container")),
        (["0c2e5a4b9d17"], 42, "3f5a", ("3f5a", "container")),
        (["0c2e5a4b9d17"], None, None, ("0c2e5a4b9d17", "orphan")),
        (["cni-6d3c9a5e-3f0b-7b6e-54f0-1d6b8a0c7e21"], 42, "3f5a", ("3f5a", "container")),
        (["netns-6d3c9a5e-3f0b-7b6e-54f0-1d6b8a0c7e21", "web"], 42, None, ("web", "named")),
    ],
)
def test_a_given_name_goes_before_the_container_and_that_before_a_generated_name(
    mounts: list[str], holder: int | None, container: str | None, expected: tuple[str | None, str]
) -> None:
    assert describe(False, [mount(name) for name in mounts], holder, container) == expected


def test_our_own_namespace_is_the_host_whatever_else_is_known_of_it() -> None:
    assert describe(True, [mount("default")], 1, "3f5a") == ("host", "host")


def test_a_thread_that_cannot_return_is_not_saved_by_except_exception() -> None:
    assert not issubclass(NamespaceLost, Exception)
