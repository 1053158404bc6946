"""What a process belongs to, from cgroup paths as they are found on real machines.

The form of each path is one seen in the source named beside it, or follows from how that source builds it; ids and pod
uids are replaced by a few of our own, and combinations (a container within a container) are put together from those.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.cgroup import parse_cgroup, parse_sandbox

A = "73051af271105c07e1f493b34856a77e665e3b0b4fc72f76c807dfbffeb881bd"
B = "49f9e8e5395d57c1083996c09e2e6f042d5fe1ec0310facab32f94912b35ce59"
UID = "2942c55e-c9cb-428a-93f4-eaf89c1f3ce0"
UID_ = UID.replace("-", "_")

CONTAINERS = [
    # Docker: cgroupfs driver, systemd driver (coroot-node-agent), a cgroup parent of the user's, Debian (neuvector)
    (f"/docker/{A}", "docker", A, None, None),
    (f"/system.slice/docker-{A}.scope", "docker", A, None, None),
    (f"/../../../../system.slice/docker-{A}.scope", "docker", A, None, None),
    (f"/build.slice/docker-{A}.scope", "docker", A, None, None),
    (f"/{A}", "container", A, None, None),
    (f"/actions_job/{A}", "container", A, None, None),
    # Amazon ECS (OpenTelemetry Java, ContainerInfoTest)
    (f"/ecs/55091c13-b8cf-4801-b527-f4601742204d/{A}", "container", A, None, None),
    # systemd inside a container: its units are told; a container inside a container: the outer one is ours
    (f"/docker/{A}/system.slice/nginx.service", "docker", A, "nginx.service", None),
    (f"/docker/{A}/init.scope", "docker", A, "init.scope", None),
    (f"/docker/{A}/docker/{B}", "docker", A, None, None),
    (
        (
            f"/docker/{A}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
            f"/kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{B}.scope"
        ),
        "docker",
        A,
        "cri-containerd-" + B + ".scope",
        UID,
    ),
    # Kubernetes, cgroupfs driver: guaranteed, burstable, best effort, static pod, a cgroup below (coroot-node-agent)
    (f"/kubepods/pod{UID}/{A}", "kubernetes", A, None, UID),
    (f"/kubepods/burstable/pod{UID}/{A}", "kubernetes", A, None, UID),
    (f"/kubepods/besteffort/pod{UID}/{A}/kube-proxy", "kubernetes", A, None, UID),
    (
        f"/kubepods/burstable/pod9729a196c4723b60ab401eaff722982d/{A}",
        "kubernetes",
        A,
        None,
        "9729a196c4723b60ab401eaff722982d",
    ),
    # Kubernetes, systemd driver: Docker, containerd, CRI-O (coroot-node-agent)
    (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/docker-{A}.scope",
        "docker",
        A,
        None,
        UID,
    ),
    (f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{A}.scope", "containerd", A, None, UID),
    (
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3e61c214bc3ed9ff81e21474dd6cba17.slice"
            f"/cri-containerd-{A}"
        ),
        "containerd",
        A,
        None,
        "3e61c214bc3ed9ff81e21474dd6cba17",
    ),
    (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/crio-{B}.scope",
        "crio",
        B,
        None,
        UID,
    ),
    (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/crio-{B}.scope/container",
        "crio",
        B,
        None,
        UID,
    ),
    (f"/kubepods/pod{UID}/crio-{B}", "crio", B, None, UID),
    # a systemd path given to the cgroupfs driver (coroot-node-agent)
    (
        f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{A}",
        "containerd",
        A,
        "containerd.service",
        UID,
    ),
    (f"/kubepods-besteffort-pod{UID_}.slice:cri-containerd:{A}", "containerd", A, None, UID),
    # containerd without Kubernetes: ctr (containerd, pkg/oci/spec.go: /NAMESPACE/ID) and nerdctl
    ("/default/web-1", "containerd", "web-1", None, None),
    (f"/system.slice/nerdctl-{A}.scope", "containerd", A, None, None),
    # podman: root, rootless, cgroupfs, Quadlet (systemctl status of such services)
    (f"/machine.slice/libpod-{A}.scope", "podman", A, None, None),
    (f"/machine.slice/libpod-{A}.scope/container", "podman", A, None, None),
    (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container",
        "podman",
        A,
        "user@1000.service",
        None,
    ),
    (f"/libpod_parent/libpod-{A}", "podman", A, None, None),
    (f"/system.slice/web.service/libpod-payload-{A}", "podman", A, "web.service", None),
    # LXC, LXD, Incus, Proxmox (coroot-node-agent; LXC, src/lxc/cgroups/cgfsng.c)
    ("/lxc/mysql-primary-db", "lxc", "mysql-primary-db", None, None),
    ("/lxc/100/ns/system.slice/cron.service", "lxc", "100", "cron.service", None),
    ("/lxc.payload.web/system.slice/nginx.service", "lxc", "web", "nginx.service", None),
    ("/lxc.payload/web", "lxc", "web", None, None),
    (f"/lxc.payload.web/docker/{A}", "lxc", "web", None, None),
    (r"/machine.slice/machine-lxc\x2d2345\x2dalpine.scope", "lxc", "alpine", None, None),
    # systemd-nspawn (systemd, its own tests of machinectl)
    ("/machine.slice/machine-fedora.scope/payload", "nspawn", "fedora", None, None),
    (
        "/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
        "nspawn",
        "web",
        "nginx.service",
        None,
    ),
    ("/machine.slice/systemd-nspawn@web.service/payload", "nspawn", "web", "systemd-nspawn@web.service", None),
    (r"/machine.slice/machine-my\x2dbox.scope", "nspawn", "my-box", None, None),
]

NOT_CONTAINERS = [
    ("/", "standalone", None),
    ("/init", "standalone", None),
    ("/podruntime/kubelet", "standalone", None),
    ("/init.scope", "scope", "init.scope"),
    ("/system.slice/docker.service", "service", "docker.service"),
    ("/runtime.slice/kubelet.service", "service", "kubelet.service"),
    (
        "/system.slice/system-postgresql.slice/postgresql@9.4-main.service",
        "service",
        "postgresql@9.4-main.service",
    ),
    (r"/system.slice/system-serial\x2dgetty.slice", "slice", r"system-serial\x2dgetty.slice"),
    ("/system.slice/ssh.service (deleted)", "service", "ssh.service"),
    ("/user.slice/user-1000.slice/session-3.scope", "session", "session-3.scope"),
    ("/user.slice/user-1000.slice/user@1000.service/init.scope", "service", "user@1000.service"),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1234.scope",
        "scope",
        "app-gnome-firefox-1234.scope",
    ),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/dbus.service", "service", "dbus.service"),
    ("/system.slice/machine-learning.scope", "scope", "machine-learning.scope"),
    (r"/machine.slice/machine-qemu\x2d1\x2dwin11.scope/libvirt/emulator", "vm", r"machine-qemu\x2d1\x2dwin11.scope"),
    # what watches a container is not in it
    (f"/machine.slice/libpod-conmon-{A}.scope", "monitor", f"libpod-conmon-{A}.scope"),
    ("/lxc.monitor.web", "monitor", None),
    ("/lxc.monitor/100", "monitor", None),
    ("/machine.slice/systemd-nspawn@web.service/supervisor", "monitor", "systemd-nspawn@web.service"),
    # not quite an id
    (f"/system.slice/docker-{A[:-1]}.scope", "scope", f"docker-{A[:-1]}.scope"),
    (f"/docker/{A.upper()}", "standalone", None),
    ("/docker/buildx", "standalone", None),
    ("/docker/buildkit", "standalone", None),
]


@pytest.mark.parametrize(("path", "kind", "container", "unit", "pod"), CONTAINERS)
def test_containers_are_told_by_their_path(
    path: str, kind: str, container: str, unit: str | None, pod: str | None
) -> None:
    identity = parse_cgroup(f"0::{path}\n")
    assert identity.short == (container[:12] if len(container) == 64 else container)
    assert identity == (kind, container, unit, pod, path)


@pytest.mark.parametrize(("path", "kind", "unit"), NOT_CONTAINERS)
def test_everything_else_is_told_by_its_unit(path: str, kind: str, unit: str | None) -> None:
    identity = parse_cgroup(f"0::{path}\n")
    assert (identity.kind, identity.container_id, identity.unit, identity.short) == (kind, None, unit, None)


def test_a_process_in_a_pod_but_in_no_container_of_it_belongs_to_the_pod() -> None:
    identity = parse_cgroup(f"0::/kubepods/besteffort/pod{UID}\n")
    assert (identity.kind, identity.container_id, identity.pod) == ("kubernetes", None, UID)


def test_the_watcher_of_a_container_of_a_pod_is_not_in_the_container() -> None:
    scope = f"crio-conmon-{B}.scope"
    identity = parse_cgroup(f"0::/kubepods.slice/kubepods-pod{UID_}.slice/{scope}\n")
    assert identity[:4] == ("monitor", None, scope, UID)


def test_version_1_repeats_the_path_for_every_hierarchy() -> None:
    text = "".join(
        f"{n}:{name}:/docker/{A}\n" for n, name in ((11, "devices"), (3, "cpu,cpuacct"), (1, "name=systemd"))
    )
    assert parse_cgroup(text)[:2] == ("docker", A)


def test_a_hybrid_machine_names_the_container_in_version_1_only() -> None:
    text = f"4:memory:/docker/{A}\n1:name=systemd:/docker/{A}\n0::/system.slice/containerd.service\n"
    assert parse_cgroup(text)[:3] == ("docker", A, None)


def test_a_hybrid_machine_without_containers_tells_the_unit_wherever_it_is() -> None:
    text = "5:devices:/\n1:name=systemd:/system.slice/ssh.service\n0::/\n"
    assert parse_cgroup(text)[:3] == ("service", None, "ssh.service")


def test_version_2_comes_before_the_others_where_neither_names_a_container() -> None:
    text = "4:memory:/other.slice\n0::/system.slice/ssh.service\n"
    assert parse_cgroup(text).unit == "ssh.service"


@pytest.mark.parametrize("text", ["", "\n", "nonsense", "0:", "0::", "0::relative", ":::", "1:name=systemd"])
def test_text_that_is_no_cgroup_file_says_nothing(text: str) -> None:
    assert parse_cgroup(text) == ("standalone", None, None, None, "/")


@pytest.mark.parametrize("name", ["a\x1b[31m", "a" * 200, "../x y", "ünï", "[bold]", "-rf"])
def test_names_outside_the_plain_character_set_are_not_taken(name: str) -> None:
    for path in (f"/lxc/{name}", f"/lxc.payload.{name}", f"/machine.slice/machine-{name}.scope", f"/default/{name}"):
        assert parse_cgroup(f"0::{path}\n").container_id is None
    assert parse_cgroup(f"0::/system.slice/{name} .service\n").unit in (None, "system.slice")


ELEMENT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["docker", "lxc", "default", "machine.slice", A, f"libpod-{A}.scope", f"pod{UID}", "x.service", ".."]
    ),
)


@given(st.lists(ELEMENT, max_size=6), st.sampled_from(["0::", "1:name=systemd:", "3:cpu,cpuacct:", ""]))
def test_hostile_paths_yield_bounded_plain_names(elements: list[str], prefix: str) -> None:
    identity = parse_cgroup(prefix + "/" + "/".join(elements))
    for name in (identity.kind, identity.container_id, identity.unit, identity.pod):
        assert name is None or (len(name) <= 270 and name.isascii() and name.isprintable() and " " not in name)


@given(st.text(max_size=300))
def test_no_text_makes_it_raise(text: str) -> None:
    parse_cgroup(text)


@pytest.mark.parametrize(
    ("command", "container_id"),
    [
        # Docker with the runtime runsc; the same started by hand; the file server of either (gvisor.dev)
        (
            (
                "runsc-sandbox --root=/var/run/docker/runtime-runc/moby --log-format=json --platform=systrap boot"
                f" --bundle=/run/containerd/io.containerd.runtime.v2.task/moby/{A} --controller-fd=3 --cpu-num=2 {A}"
            ),
            A,
        ),
        ("runsc-sandbox --root /var/run/runsc boot --bundle /tmp/bundle --controller-fd 3 web", "web"),
        (
            (
                "runsc-gofer --root=/run/containerd/runsc/k8s.io gofer"
                f" --bundle=/run/containerd/io.containerd.runtime.v2.task/k8s.io/{B} --io-fds=6 --mounts-fd=5"
            ),
            B,
        ),
        ("runsc-gofer --root=/var/run/runsc gofer --bundle=/tmp/bundle --io-fds=6", None),
        ("runsc-sandbox --root=/var/run/runsc boot --bundle=/tmp/bundle ../../etc", None),
        (f"runsc --root=/var/run/runsc wait {A}", None),
        (f"vi runsc-sandbox boot {A}", None),
        ("", None),
    ],
)
def test_a_sandbox_of_gvisor_tells_its_container_by_its_command_line(command: str, container_id: str | None) -> None:
    found = parse_sandbox(command)
    assert (found.container_id if found else None) == container_id
