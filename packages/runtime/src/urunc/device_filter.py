# SPDX-License-Identifier: Apache-2.0
"""The program that decides in the kernel which devices a cgroup of version 2 may use.  Pure.

Linux, Documentation/bpf/standardization/instruction-set.rst; struct bpf_cgroup_dev_ctx in linux/bpf.h has
three words: what is asked for, of which kind in its lower half; the major and the minor number.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.devices import Policy
    from urunc.resources import DeviceRule

# Registers: the answer; the context; and what is taken out of that.
_ANSWER, _CONTEXT, _KIND, _ACCESS, _MAJOR, _MINOR, _ASKED = 0, 1, 2, 3, 4, 5, 6
_LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_AND, _SHIFT_RIGHT = 0x54, 0x74  # BPF_ALU | BPF_K
_MOVE, _MOVE_REGISTER = 0xB4, 0xBC  # BPF_ALU | BPF_MOV, with BPF_K and BPF_X
_JUMP_UNLESS, _JUMP_IF = 0x56, 0x16  # BPF_JMP32 | BPF_K, with BPF_JNE and BPF_JEQ
_EXIT = 0x95
_KINDS = {"b": 1, "c": 2}
_ACCESSES = {"m": 1, "r": 2, "w": 4}
_ALL = 7


def program(policy: Policy) -> bytes:
    """Instructions for BPF_PROG_TYPE_CGROUP_DEVICE; 1 allows."""
    parts = [
        _instruction(_LOAD_WORD, _KIND, source=_CONTEXT, offset=0),
        _instruction(_MOVE_REGISTER, _ACCESS, source=_KIND),
        _instruction(_AND, _KIND, value=0xFFFF),
        _instruction(_SHIFT_RIGHT, _ACCESS, value=16),
        _instruction(_LOAD_WORD, _MAJOR, source=_CONTEXT, offset=4),
        _instruction(_LOAD_WORD, _MINOR, source=_CONTEXT, offset=8),
        *(_exception(rule, policy.allow) for rule in policy.exceptions),
        _answer(allow=policy.allow),
    ]
    return b"".join(parts)


def _exception(rule: DeviceRule, default: bool) -> bytes:  # noqa: FBT001  what the others get
    """Where everything else is forbidden, all that is asked for must be in it; else, nothing."""
    access = sum(_ACCESSES[letter] for letter in set(rule.access))
    answer = _answer(allow=not default)
    tests = [(_JUMP_UNLESS, _KIND, _KINDS[rule.kind])]
    masked = b""
    if default or access != _ALL:
        outside = access if default else _ALL & ~access
        masked = _instruction(_MOVE_REGISTER, _ASKED, source=_ACCESS) + _instruction(
            _AND, _ASKED, value=outside
        )
    numbers = ((_MAJOR, rule.major), (_MINOR, rule.minor))
    found = [(_JUMP_UNLESS, register, number) for register, number in numbers if number is not None]
    after = [(_JUMP_IF if default else _JUMP_UNLESS, _ASKED, 0)] if masked else []
    return _chain([*tests, *found], masked, after, answer)


def _chain(
    before: list[tuple[int, int, int]], masked: bytes, after: list[tuple[int, int, int]], answer: bytes
) -> bytes:
    """Every test jumps behind the answer."""
    rest = answer
    for code, register, value in reversed(after):
        rest = _instruction(code, register, value=value, offset=len(rest) // 8) + rest
    rest = masked + rest
    for code, register, value in reversed(before):
        rest = _instruction(code, register, value=value, offset=len(rest) // 8) + rest
    return rest


def _answer(*, allow: bool) -> bytes:
    return _instruction(_MOVE, _ANSWER, value=int(allow)) + _instruction(_EXIT, 0)


def _instruction(code: int, target: int, *, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    registers = source << 4 | target
    number = value.to_bytes(4, "little", signed=False)
    return bytes((code, registers)) + offset.to_bytes(2, "little", signed=True) + number
