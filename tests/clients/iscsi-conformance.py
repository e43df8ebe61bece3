#!/usr/bin/env python3
"""Runs iscsi-test-cu, libiscsi's conformance suite, against disks of ours: one process per suite,
since version 1.19 leaks state from one suite to the next. Breaks when a test that passes today fails,
when one hangs, when the target dies, or when fewer tests pass than are promised.

usage: iscsi-conformance.py BUILD_DIR [--unit NAME]... [--suite NAME]... [--list FILE] [--verbose]
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SKIP = 77
SUITE_LIMIT = 120  # seconds; the slowest suite takes a few
TOTAL = 230        # tests of 1.19
PROMISED = 200     # of them, over all units
IQN = "iqn.2026-01.org.userdrive:test"

# What the disks are; urls: by how many ways the suite reaches the disk.
UNITS = {
    "512": dict(args=["-l", "512"], urls=1),
    "4096": dict(args=["-l", "4096"], urls=1),
    "readonly": dict(args=["-l", "512", "--ro"], urls=1),
    "removable": dict(args=["-l", "512", "--removable"], urls=1),
    "two-portal": dict(args=["-l", "512"], urls=2),
    "512e": dict(program="rawdisk", args=["IMAGE", "--physical-block-length=4096"], urls=1),
}

# Commands of WinSpd's that the suite covers: all of these tests pass on some unit.
CORE_SUITES = ["Inquiry", "Mandatory", "ModeSense6", "TestUnitReady", "NoMedia", "ReadCapacity10",
               "ReadCapacity16", "Read6", "Read10", "Read12", "Read16", "Write10", "Write12", "Write16",
               "ReadOnly", "Unmap"]

RESULT = re.compile(r"Test: (\S+) \.\.\.(.*?)(?:(?<=\.\.\.)|\n *)(passed|FAILED)\b", re.S)


class Target:
    """One disk behind the iscsi door, in a process of its own."""

    def __init__(self, build, unit, directory):
        spec = UNITS[unit]
        name = spec.get("program", "ramdisk")
        program = os.path.join(build, "examples", name, name)
        args = [os.path.join(directory, "disk.img") if a == "IMAGE" else a for a in spec["args"]]
        doors = []
        for i in range(spec["urls"]):
            doors += ["--door", f"iscsi://127.0.0.1:0/{IQN}.{unit}{i}/1"]
        self.log = open(os.path.join(directory, unit + ".log"), "wb")
        self.process = subprocess.Popen([program, "--foreground", "--size=100M", *args, *doors],
                                        stdout=subprocess.PIPE, stderr=self.log)
        self.urls = [self.process.stdout.readline().decode().strip() for _ in range(spec["urls"])]
        if not all(u.startswith("iscsi://") for u in self.urls):
            raise SystemExit(f"the disk of unit {unit} did not start, see {self.log.name}")

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = -1
        self.log.close()
        return code


def suites_of(tool):
    text = subprocess.run([tool, "--list"], capture_output=True, text=True, timeout=30).stdout
    names = {}
    for line in text.split():
        parts = line.split(".")
        if len(parts) == 3 and parts[0] in ("SCSI", "iSCSI"):
            names.setdefault(f"{parts[0]}.{parts[1]}", []).append(parts[2])
    return names


def run_suite(tool, suite, tests, urls, log):
    """The outcome of each test of a suite: passed, failed, skipped, or lost (it hung or died)."""
    args = [tool, "--dataloss", "--allow-sanitize", f"--test={suite}", *urls]
    try:
        done = subprocess.run(args, capture_output=True, timeout=SUITE_LIMIT, stdin=subprocess.DEVNULL)
        text = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        text = (e.stdout or b"").decode(errors="replace")
    log.write(f"==== {suite}\n{text}\n")
    outcome = {t: "lost" for t in tests}
    for name, between, verdict in RESULT.findall(text):
        if name in outcome:
            skipped = "[SKIPPED]" in between
            outcome[name] = "failed" if verdict == "FAILED" else "skipped" if skipped else "passed"
    return outcome


def read_expected(path):
    """UNIT SUITE.TEST OUTCOME REASON…; UNIT * stands for all."""
    expected = {}
    with open(path) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                unit, test, outcome, reason = line.split(None, 3)
                expected[unit, test] = (outcome, reason.strip())
    return expected


def compare(unit, outcomes, expected):
    bad = []
    for test, outcome in sorted(outcomes.items()):
        want = expected.get((unit, test)) or expected.get(("*", test)) or ("passed", "")
        if outcome != want[0]:
            bad.append(f"{unit}: {test} {outcome}, expected {want[0]}")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--unit", action="append")
    parser.add_argument("--suite", action="append")
    parser.add_argument("--list", help="write the outcomes that are not 'passed' to this file")
    parser.add_argument("--verbose", action="store_true")
    a = parser.parse_args()
    tool = shutil.which("iscsi-test-cu")
    if not tool:
        print("SKIP: iscsi-test-cu is not installed (Debian: libiscsi-bin)")
        return SKIP

    here = os.path.dirname(os.path.abspath(__file__))
    expected = read_expected(os.path.join(here, "expected/iscsi-test-cu.list"))
    suites = suites_of(tool)
    chosen = [s for s in suites if not a.suite or s in a.suite or s.split(".")[1] in a.suite]
    units = a.unit or list(UNITS)
    best, bad, lines = {}, [], []
    with tempfile.TemporaryDirectory() as directory:
        for unit in units:
            target = Target(os.path.abspath(a.build), unit, directory)
            outcomes = {}
            try:
                with open(os.path.join(directory, unit + ".out"), "w") as log:
                    for suite in chosen:
                        for test, o in run_suite(tool, suite, suites[suite], target.urls, log).items():
                            outcomes[f"{suite}.{test}"] = o
                        if not target.alive():
                            bad.append(f"{unit}: the target died in {suite}")
                            target = Target(os.path.abspath(a.build), unit, directory)
            finally:
                code = target.stop()
            if code != 0:
                bad.append(f"{unit}: the target ended with {code}")
            bad += compare(unit, outcomes, expected)
            for test, o in outcomes.items():
                if o == "passed" or test not in best:
                    best[test] = o
                if o != "passed":
                    lines.append(f"{unit} {test} {o}")
            count = {o: sum(v == o for v in outcomes.values()) for o in ("passed", "failed", "skipped", "lost")}
            print(f"{unit}: " + ", ".join(f"{n} {o}" for o, n in count.items()), flush=True)
            if a.verbose:
                with open(os.path.join(directory, unit + ".out")) as log:
                    print(log.read())
    if a.list:
        with open(a.list, "w") as f:
            f.write("\n".join(lines) + "\n")

    passed = sum(o == "passed" for o in best.values())
    core = [t for t in best if t.split(".")[1] in CORE_SUITES]
    core_left = [t for t in core if best[t] != "passed"]
    print(f"over all units: {passed} of {len(best)} pass; of WinSpd's commands {len(core) - len(core_left)} of {len(core)}")
    if not a.suite and not a.unit:
        if passed < PROMISED:
            bad.append(f"only {passed} of {len(best)} tests pass on some unit, {PROMISED} are promised")
        bad += [f"{t} passes on no unit" for t in core_left]
    for line in bad:
        print("WRONG:", line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
