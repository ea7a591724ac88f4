# SPDX-License-Identifier: Apache-2.0
"""Measuring KVM: an answer, whatever this machine has, and nothing left behind."""

from __future__ import annotations

import os
import time

import pytest

from urunc.host import kvm

NEEDS_KVM = pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no /dev/kvm")


def test_it_is_measured_twice_with_the_same_answer_and_leaves_nothing_open():
    before = os.listdir("/proc/self/fd")
    assert kvm.measure() is kvm.measure()
    assert os.listdir("/proc/self/fd") == before


@NEEDS_KVM
@pytest.mark.parametrize(("allowed_ns", "answer"), [(10**12, True), (-(10**12), False)])
def test_the_time_that_the_loop_takes_decides(allowed_ns, answer, monkeypatch):
    monkeypatch.setattr(kvm, "_TOO_LONG_NS", allowed_ns)
    assert kvm.measure() is answer


@NEEDS_KVM
def test_the_loop_is_really_run(monkeypatch):
    """Ten thousand rounds end with an empty counter and a halted processor; another exit would raise."""
    monkeypatch.setattr(kvm, "_EXIT_HLT", 99)
    with pytest.raises(OSError, match="did not halt"):
        kvm._is_fast()


@NEEDS_KVM
def test_a_processor_that_never_comes_back_counts_as_unusable(monkeypatch):
    monkeypatch.setattr(kvm, "_is_fast", lambda: time.sleep(600))
    monkeypatch.setattr(kvm, "_DEADLINE_MS", 50)
    assert kvm.measure() is False


@NEEDS_KVM
def test_a_crash_counts_as_unusable(monkeypatch):
    monkeypatch.setattr(kvm, "_is_fast", lambda: os.kill(os.getpid(), 9))
    assert kvm.measure() is False


def test_without_the_device_there_is_no_kvm(monkeypatch):
    monkeypatch.setattr(kvm.posix, "access", lambda _path, _mode: False)
    assert kvm.measure() is False
