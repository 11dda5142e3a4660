"""Filters of system calls for the jail and its children, made by libseccomp: what no lesson needs, and what
would outlive a child or widen the walls."""

import ctypes
import errno
import tempfile
from typing import IO

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NOT_EQUAL, MASKED_EQUAL = 1, 7
SOL_SOCKET, SO_PEERPIDFD, MSG_OOB, ALL_BITS = 1, 77, 1, 0xFFFFFFFF
CLONE_NEWUSER, AF_UNIX, TIOCSTI, TIOCLINUX = 0x10000000, 1, 0x5412, 0x541C

DENIED = """
    unshare setns mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
    ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp perf_event_open bpf userfaultfd
    add_key request_key keyctl
    shmget shmat shmctl msgget msgsnd msgrcv msgctl semget semop semtimedop semctl mq_open mq_unlink memfd_create memfd_secret
    io_uring_setup io_uring_enter io_uring_register
    sched_setaffinity sched_setscheduler sched_setparam sched_setattr setpriority ioprio_set
    kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct quotactl syslog settimeofday
    clock_settime clock_adjtime adjtimex sethostname setdomainname name_to_handle_at open_by_handle_at fanotify_init lookup_dcookie
    inotify_init inotify_init1 inotify_add_watch fanotify_mark
    personality vhangup iopl ioperm modify_ldt nfsservctl move_pages migrate_pages mbind set_mempolicy
""".split()


class _Compare(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    ]


# A child has no use for another program, and Python begun afresh would not know which functions are refused
# while a question runs.
PROGRAMS = ("execve", "execveat")


def program() -> IO[bytes] | None:
    """An open file with the jail's filter as the kernel takes it, or None where there is no libseccomp."""
    return _written(_deny_all)


def no_programs() -> bytes:
    """A second filter, for a child alone, as the kernel takes it: it starts no program. Where there is no
    libseccomp: b""."""
    file = _written(_deny_programs)
    if file is None:
        return b""
    with file:
        return file.read()


def _deny_programs(deny):
    for name in PROGRAMS:
        deny(name)


def _written(rules):
    """An open file with the filter that `rules` makes of a function (name, conditions) which denies a call."""
    try:
        lib = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_init.argtypes = [ctypes.c_uint32]
    lib.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Compare),
    ]
    lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.seccomp_release.argtypes = [ctypes.c_void_p]
    context = lib.seccomp_init(ALLOW)
    if not context:
        return None

    def deny(name: str, *compare, code: int = errno.EPERM):
        number = lib.seccomp_syscall_resolve_name(name.encode())
        # a name that this libseccomp does not know yet, or a call that this machine does not have
        if number != -1:
            lib.seccomp_rule_add_array(
                context, ERRNO | code, number, len(compare), (_Compare * len(compare))(*compare)
            )

    rules(deny)
    file = tempfile.TemporaryFile()
    failed = lib.seccomp_export_bpf(context, file.fileno())
    lib.seccomp_release(context)
    file.seek(0)
    if failed:
        return None
    return file


def _deny_all(deny):
    for name in DENIED:
        deny(name)
    deny("clone", _Compare(0, MASKED_EQUAL, CLONE_NEWUSER, CLONE_NEWUSER))
    # its flags lie in memory, where no filter sees them: the C library falls back to clone
    deny("clone3", code=errno.ENOSYS)
    deny("socket", _Compare(0, NOT_EQUAL, AF_UNIX))
    deny("prlimit64", _Compare(0, NOT_EQUAL, 0))  # limits of other processes
    # a peer's process as a file, and bytes that overtake others: no lesson speaks to anybody
    deny(
        "getsockopt",
        _Compare(1, MASKED_EQUAL, ALL_BITS, SOL_SOCKET),
        _Compare(2, MASKED_EQUAL, ALL_BITS, SO_PEERPIDFD),
    )
    for name, flags in (
        ("sendto", 3),
        ("recvfrom", 3),
        ("sendmsg", 2),
        ("recvmsg", 2),
        ("sendmmsg", 3),
        ("recvmmsg", 3),
    ):
        deny(name, _Compare(flags, MASKED_EQUAL, MSG_OOB, MSG_OOB))
    for request in (TIOCSTI, TIOCLINUX):
        deny("ioctl", _Compare(1, MASKED_EQUAL, ALL_BITS, request))
