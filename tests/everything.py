# SPDX-License-Identifier: Apache-2.0
"""Every field of the OCI runtime specification 1.2, `config.md`, `config-linux.md` and `config-vm.md`, with a
value that it may have.  Written from the specification's text, not from what our loader reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID_MAP = {"containerID": 0, "hostID": 100000, "size": 65536}
_HOOK = {"path": "/hook", "args": ["hook", "x"], "env": ["A=1"], "timeout": 3}
_THROTTLE = [{"major": 8, "minor": 0, "rate": 1000}]
_CAPABILITY = ["CAP_CHOWN"]
_NAMESPACES = ("user", "ipc", "uts", "network", "pid", "mount", "cgroup", "time")

PROCESS: dict[str, Any] = {
    "terminal": True,
    "consoleSize": {"height": 24, "width": 80},
    "cwd": "/srv",
    "env": ["A=1"],
    "args": ["program", "x"],
    "commandLine": "program x",
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}],
    "apparmorProfile": "profile",
    "capabilities": {
        "bounding": _CAPABILITY, "effective": _CAPABILITY, "inheritable": _CAPABILITY,
        "permitted": _CAPABILITY, "ambient": _CAPABILITY,
    },
    "noNewPrivileges": True,
    "oomScoreAdj": 1,
    "scheduler": {
        "policy": "SCHED_DEADLINE", "nice": 1, "priority": 1, "flags": ["SCHED_FLAG_RESET_ON_FORK"],
        "runtime": 1, "deadline": 2, "period": 3,
    },
    "selinuxLabel": "a_u:b_r:c_t:s0",
    "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
    "execCPUAffinity": {"initial": "0", "final": "0-1"},
    "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3], "username": "someone"},
}  # fmt: skip

RESOURCES: dict[str, Any] = {
    "devices": [{"allow": False, "type": "c", "major": 1, "minor": 2, "access": "rw"}],
    "memory": {
        "limit": 1 << 30, "reservation": 1 << 29, "swap": 1 << 31, "kernel": 1, "kernelTCP": 1,
        "swappiness": 10,
        "disableOOMKiller": False, "useHierarchy": False, "checkBeforeUpdate": False,
    },
    "cpu": {
        "shares": 2, "quota": 1000, "burst": 1000, "period": 1000, "realtimeRuntime": 1, "realtimePeriod": 2,
        "cpus": "0", "mems": "0", "idle": 0,
    },
    "pids": {"limit": 100},
    "blockIO": {
        "weight": 10, "leafWeight": 10,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 10}],
        "throttleReadBpsDevice": _THROTTLE, "throttleWriteBpsDevice": _THROTTLE,
        "throttleReadIOPSDevice": _THROTTLE, "throttleWriteIOPSDevice": _THROTTLE,
    },
    "hugepageLimits": [{"pageSize": "2MB", "limit": 1}],
    "network": {"classID": 1, "priorities": [{"name": "eth0", "priority": 1}]},
    "rdma": {"DEVICE": {"hcaHandles": 1, "hcaObjects": 2}},
    "unified": {"memory.high": "1000"},
}  # fmt: skip

SECCOMP: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64"],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "listenerPath": "/socket",
    "listenerMetadata": "words",
    "syscalls": [
        {
            "names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
            "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_EQ"}],
        }
    ],
}  # fmt: skip

LINUX: dict[str, Any] = {
    "devices": [
        {"type": "c", "path": "/dev/x", "major": 1, "minor": 2, "fileMode": 438, "uid": 0, "gid": 0}
    ],
    "uidMappings": [_ID_MAP],
    "gidMappings": [_ID_MAP],
    "sysctl": {"net.core.somaxconn": "10"},
    "cgroupsPath": "/a/b",
    "resources": RESOURCES,
    "rootfsPropagation": "slave",
    "seccomp": SECCOMP,
    "namespaces": [{"type": kind, "path": f"/run/{kind}"} for kind in _NAMESPACES],
    "maskedPaths": ["/proc/kcore"],
    "readonlyPaths": ["/proc/sys"],
    "mountLabel": "a_u:b_r:c_t:s0",
    "intelRdt": {
        "closID": "x", "schemata": ["MB:0=1"], "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=1",
        "enableCMT": True, "enableMBM": True, "enableMonitoring": True,
    },
    "personality": {"domain": "LINUX", "flags": []},
    "timeOffsets": {"monotonic": {"secs": 1, "nanosecs": 2}, "boottime": {"secs": 1, "nanosecs": 2}},
}  # fmt: skip

EVERYTHING: dict[str, Any] = {
    "ociVersion": "1.2.0",
    "root": {"path": "rootfs", "readonly": True},
    "mounts": [
        {
            "destination": "/data", "source": "/srv", "type": "bind", "options": ["rbind", "ro"],
            "uidMappings": [_ID_MAP], "gidMappings": [_ID_MAP],
        },
        {"destination": "/proc", "source": "proc", "type": "proc"},
    ],
    "process": PROCESS,
    "hostname": "host",
    "domainname": "example.org",
    "hooks": {
        "prestart": [_HOOK], "createRuntime": [_HOOK], "createContainer": [_HOOK], "startContainer": [_HOOK],
        "poststart": [_HOOK], "poststop": [_HOOK],
    },
    "annotations": {"a": "b"},
    "linux": LINUX,
    "vm": {
        "hypervisor": {"path": "/h", "parameters": ["x"]},
        "kernel": {"path": "/k", "parameters": ["x"], "initrd": "/i"},
        "image": {"path": "/i", "format": "raw"},
    },
    "windows": {},
    "solaris": {},
    "zos": {},
}  # fmt: skip

# Their keys are not the specification's.
_MAPS = {"annotations", "linux.sysctl", "linux.resources.unified"}


def fields(value: Any = EVERYTHING, key: str = "") -> Iterator[str]:
    """The keys of all fields, without the places in lists."""
    if isinstance(value, dict) and value and key not in _MAPS:
        for name, inner in value.items():
            yield from fields(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from dict.fromkeys(found for item in value for found in fields(item, key))
    else:
        yield key
