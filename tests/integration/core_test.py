"""Core files: none is left behind, unless the configuration permits it."""

import os
import resource
import signal
import unittest

import harness
from harness import Router


def is_sanitized(marks=(b"__asan_init", b"__tsan_init")):
    with open(harness.TRUNKD, "rb") as file:
        program = file.read()
    return any(mark in program for mark in marks)


class CoreFiles(unittest.TestCase):
    """What becomes of a crash."""

    def setUp(self):
        before = resource.getrlimit(resource.RLIMIT_CORE)
        if before[1] == 0:
            self.skipTest("needs a hard limit of core files (ulimit -Hc) that is not 0")
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, before)
        self.limit = (before[1], before[1])
        resource.setrlimit(resource.RLIMIT_CORE, self.limit)

    def start(self, **settings):
        router = Router(router=settings)
        self.addCleanup(router.close)
        return router

    def crash(self, router):
        """How the process ended, and the core files it left in its folder."""
        router.process.send_signal(signal.SIGABRT)
        end = os.waitid(os.P_PID, router.process.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(end.si_status, signal.SIGABRT)
        return end.si_code, [name for name in os.listdir(router.directory) if "core" in name]

    def test_none_is_left_unless_the_configuration_permits_it(self):
        router = self.start()
        self.assertEqual(resource.prlimit(router.process.pid, resource.RLIMIT_CORE)[0], 0)
        self.assertEqual(self.crash(router), (os.CLD_KILLED, []))

    def test_none_is_left_though_the_limit_is_raised_from_outside(self):
        router = self.start()
        resource.prlimit(router.process.pid, resource.RLIMIT_CORE, self.limit)
        self.assertEqual(self.crash(router), (os.CLD_KILLED, []))

    def test_one_is_left_where_the_configuration_permits_it(self):
        router = self.start(core_dumps=True)
        if is_sanitized():
            self.skipTest("sanitizers leave no core files")
        self.assertEqual(resource.prlimit(router.process.pid, resource.RLIMIT_CORE), self.limit)
        with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
            if not file.read().strip():
                self.skipTest("this system writes no core files")
        self.assertEqual(self.crash(router)[0], os.CLD_DUMPED)


if __name__ == "__main__":
    unittest.main()
