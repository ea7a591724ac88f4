# SPDX-License-Identifier: Apache-2.0
"""The program of a Linux guest gets its words, its user and its streams, and its status gets out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e import linux_guest as guest

from urunc_common.cpio import File
from urunc_common.guest import CONTROL_PORT, GuestConfig, Mount, Rlimit, init_file

if TYPE_CHECKING:
    from e2e.linux_guest import Result

pytestmark = pytest.mark.vm

WORDS = ("", "two words", 'it\'s "quoted"', "one\ntwo", " -- ", "ümläut", "\udcff")
EVERY_BYTE = bytes(range(256)) * 500

CHECK = """
echo "== words"; for word; do echo "<$word>"; done
echo "== env"; env
echo "== cwd"; pwd
echo "== id"; id -u; id -g; id -G
echo "== umask"; umask
echo "== limits"; ulimit -n; ulimit -Hn
echo "== signals"; grep -E 'Sig(Blk|Ign)' /proc/self/status
echo "== names"; hostname; cat /proc/sys/kernel/domainname
echo "== sysctls"; cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_local_port_range
echo "== system"; ls -d /proc/self /sys/class /dev/pts/ptmx /dev/shm /dev/fd/0 /dev/null
echo "== orders"; ls -a /.urunc 2>&1
echo "== again"; echo "once more" >/dev/stdout
echo "== tmp"; touch /tmp/new; stat -c %a /tmp
(sleep 1000 &)
echo "to standard error" >&2
exit 42
"""


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    require("qemu", "linux-kernel")


def config(*args: str, **fields: object) -> GuestConfig:
    """A program whose streams are ports, and whose status comes out."""
    streams = {"stdio": "ports", "control": CONTROL_PORT, "report": guest.DEBUG_EXIT, "env": ("PATH=/bin",)}
    return GuestConfig(args=args, **{**streams, **fields})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A program that is told everything, and says what it sees."""
    everything = config(
        "/check",
        *WORDS,
        env=("PATH=/bin", "TEXT=a b\nc", "EMPTY="),
        cwd="/made/for it",
        uid=1000,
        gid=1001,
        groups=(5, 6),
        umask=0o27,
        rlimits=(Rlimit("RLIMIT_NOFILE", 100, 200), Rlimit("4", 0, 0)),
        sysctls=(("kernel/shmmax", "12345"), ("net/ipv4/ip_local_port_range", "2000 3000")),
        hostname="box",
        domainname="example",
        mounts=(Mount("tmpfs", "", "/tmp"),),
    )
    return guest.boot(tmp_path_factory.mktemp("told"), everything, [*guest.busybox(), guest.script(CHECK)])


def test_the_program_gets_its_words_whatever_is_in_them(told: Result) -> None:
    expected = "".join(f"<{word}>\n" for word in WORDS).encode(errors="surrogateescape")
    assert b"== words\n" + expected + b"== env\n" in told.stdout


def test_the_program_has_its_variables_and_a_home_and_no_others(told: Result) -> None:
    lines = set(told.parts["env"].splitlines()) - {"SHLVL=1", "PWD=/made/for it"}
    assert lines == {"PATH=/bin", "TEXT=a b", "c", "EMPTY=", "HOME=/home/user"}


def test_the_program_is_who_and_where_it_should_be(told: Result) -> None:
    assert told.parts["id"].split() == ["1000", "1001", "1001", "5", "6"]
    assert told.parts["cwd"] == "/made/for it"
    assert told.parts["umask"] == "0027"
    assert told.parts["limits"] == "100\n200"
    assert {line.split()[1] for line in told.parts["signals"].splitlines()} == {"0" * 16}
    assert told.parts["names"] == "box\nexample"


def test_the_kernel_is_set_as_it_is_told(told: Result) -> None:
    assert told.parts["sysctls"].split() == ["12345", "2000", "3000"]


def test_the_system_is_there_and_our_orders_are_not(told: Result) -> None:
    assert told.parts["system"].split() == [
        "/dev/fd/0", "/dev/null", "/dev/pts/ptmx", "/dev/shm", "/proc/self", "/sys/class"
    ]  # fmt: skip
    assert told.parts["orders"] == "ls: /.urunc: No such file or directory"
    assert told.parts["tmp"] == "1777"


def test_a_user_can_open_its_streams_again(told: Result) -> None:
    assert told.parts["again"] == "once more"


def test_the_status_gets_out_although_a_process_is_left(told: Result) -> None:
    assert told.status == 42
    assert told.stderr == b"to standard error\n"


def test_a_sysctl_that_the_kernel_lacks_costs_a_line(tmp_path: Path) -> None:
    asked = config("/bin/sh", "-c", "exit 7", sysctls=(("no/such", "1"),))
    found = guest.boot(tmp_path, asked, guest.busybox())
    assert found.stderr == b"init: write 1 to /proc/sys/no/such: No such file or directory\n"
    assert found.status == 7


def test_streams_are_apart_and_keep_every_byte(tmp_path: Path) -> None:
    copy = guest.script("cat; cat /bytes >&2")
    entries = [*guest.busybox(), copy, File("/bytes", EVERY_BYTE)]
    result = guest.boot(tmp_path, config("/check"), entries, stdin=EVERY_BYTE)
    assert result.stdout == EVERY_BYTE
    assert result.stderr == EVERY_BYTE
    assert result.code == 0
    assert "init: " not in result.console


def test_signals_reach_the_program_and_end_it(tmp_path: Path) -> None:
    text = "trap 'echo hup' HUP; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.1; done"
    entries = [*guest.busybox(), guest.script(text)]
    initrd = guest.archive(config("/check", stop_signal=2), entries)
    with guest.start(tmp_path, initrd, *guest.PORTS) as running:
        running.wait_for("ready")
        running.tell(b"signal 10\n")
        running.wait_for("usr1")
        running.tell(b"signal")
        running.tell(b" 1\nwhat\n")
        running.wait_for("hup")
        running.tell(b"stop\n")
        result = running.end()
    assert result.code == (128 + 2 << 1 | 1) & 0xFF
    assert result.messages == ["init: unknown line on the control port: what"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("missing",), 127, "init: run missing: No such file or directory"),
        (("/etc/passwd",), 126, "init: run /etc/passwd: Permission denied"),
        (("/bin",), 126, "init: run /bin: Permission denied"),
    ],
)
def test_a_program_that_does_not_start_costs_a_line_and_a_status(
    tmp_path: Path, words: tuple[str, ...], status: int, message: str
) -> None:
    result = guest.boot(tmp_path, config(*words), guest.busybox())
    assert (result.status, result.messages) == (status, [message])


def test_an_unknown_key_costs_a_line(tmp_path: Path) -> None:
    initrd = guest.archive(config("/bin/sh", "-c", "exit 3"), guest.busybox())
    key = b"stdio 5\nports\n"
    with guest.start(tmp_path, initrd.replace(key, b"future 4\nsay!\n"), *guest.PORTS) as running:
        result = running.end()
    assert result.messages == ["init: unknown key in the configuration: future"]
    assert result.status == 3


def test_a_damaged_configuration_runs_nothing(tmp_path: Path) -> None:
    data = guest.archive(config("/bin/sh", "-c", "echo ran"), guest.busybox())
    with guest.start(tmp_path, data.replace(b"arg 7\n", b"arg 777777\n"), *guest.PORTS) as running:
        result = running.end()
    assert result.messages == ["init: the configuration ends within a record"]
    assert b"ran" not in result.stdout


def test_without_ports_the_streams_are_the_console(tmp_path: Path) -> None:
    entries = [*guest.busybox(), guest.script("printf 'a\\nb'; tty; exit 9")]
    with guest.start(tmp_path, guest.archive(config("/check", control=""), entries)) as running:
        result = running.end()
    (message,) = result.messages
    assert message == "init: open the port org.urunc.stdin: No such device"
    assert "a\nb/dev/ttyS0\n" in result.console.replace("\r", "")
    assert result.status == 9


def test_the_console_changes_no_byte(tmp_path: Path) -> None:
    entries = [*guest.busybox(), guest.script("cat /bytes"), File("/bytes", EVERY_BYTE[:256])]
    with guest.start(tmp_path, guest.archive(config("/check", stdio="console"), entries)) as running:
        running.process.wait(guest.BOOT_S)
    assert EVERY_BYTE[:256] in (tmp_path / "console").read_bytes()


def test_a_terminal_has_a_size_and_is_the_controlling_one(tmp_path: Path) -> None:
    text = "trap 'echo interrupted; exit 7' INT; tty; stty size; echo told >/dev/tty; sleep 1000"
    devices = (
        "-chardev", "socket,id=terminal,path=terminal,server=on,wait=off,logfile=stdout",
        "-device", guest.BUS, "-device", "virtconsole,chardev=terminal",
    )  # fmt: skip
    initrd = guest.archive(
        config("/check", terminal=(33, 99), control=""), [*guest.busybox(), guest.script(text)]
    )
    with guest.start(tmp_path, initrd, *devices) as running:
        running.wait_for("told")
        with running.connected("terminal") as terminal:
            terminal.sendall(b"\x03")
            result = running.end()
    assert result.stdout.decode().split("\r\n")[:3] == ["/dev/hvc0", "33 99", "told"]
    assert b"interrupted" in result.stdout
    assert result.status == 7


def test_an_init_becomes_process_1_and_gets_signals(tmp_path: Path) -> None:
    text = "echo I am $$; trap 'echo bye; poweroff -f' TERM; echo ready; while :; do sleep 0.1; done"
    entries = [*guest.busybox(), guest.script(text)]
    with guest.start(tmp_path, guest.archive(config("/check", exec=True), entries), *guest.PORTS) as running:
        running.wait_for("ready")
        running.tell(b"stop\n")
        result = running.end()
    assert result.stdout == b"I am 1\nready\nbye\n"


@pytest.mark.parametrize(
    ("text", "report"), [("exit 0", "reset"), ("echo c >/proc/sysrq-trigger", guest.DEBUG_EXIT)]
)
def test_the_machine_is_reset_for_a_monitor_that_wants_it_and_by_a_panic(
    tmp_path: Path, text: str, report: str
) -> None:
    """QEMU says what was written to the keyboard controller, 2 * 0xfe + 1, less what no status holds."""
    devices = ("-device", "isa-debug-exit,iobase=0x64,iosize=1")
    initrd = guest.archive(config("/check", report=report), [*guest.busybox(), guest.script(text)])
    with guest.start(
        tmp_path, initrd, *guest.PORTS, *devices, cmdline="reboot=k rdinit=/.urunc/init"
    ) as running:
        assert running.process.wait(guest.BOOT_S) == 253


def test_our_program_may_be_the_command_of_an_image_too(tmp_path: Path) -> None:
    """As in examples/linux-httpd, whose command begins with /init."""
    init = File("/init", Path(init_file("x86_64")).read_bytes(), 0o755)
    words = ("/init", "/bin/sh", "-c", "echo within; exit 3")
    result = guest.boot(tmp_path, config(*words), [*guest.busybox(), init])
    assert (result.stdout, result.status, result.messages) == (b"within\n", 3, [])
