#!/usr/bin/env python3
"""Prints what a Meson test log counts, each skip with its reason, and the closing line.

Fails when a test failed, or when none was run; that all were skipped is no failure.
"""
import json
import sys


def reason(entry):
    text = entry.get("stdout", "") + entry.get("stderr", "")
    lines = [line.strip() for line in text.splitlines() if line.lower().startswith("skip")]
    return lines[0] if lines else "no reason given"


def main(path):
    counts = {"OK": 0, "SKIP": 0}
    failed = []
    skipped = []
    try:
        with open(path) as log:
            entries = [json.loads(line) for line in log if line.strip()]
    except OSError:
        entries = []
    if not entries:
        print("FAILED: no test was run")
    for entry in entries:
        result = entry["result"]
        if result in ("OK", "EXPECTEDFAIL"):
            counts["OK"] += 1
        elif result == "SKIP":
            counts["SKIP"] += 1
            skipped.append((entry["name"], reason(entry)))
        else:
            failed.append((entry["name"], result))
    for name, why in skipped:
        print(f"skipped: {name}: {why}")
    for name, result in failed:
        print(f"FAILED: {name}: {result}")
    print(f"{counts['OK']} passed, {len(failed)} failed, {counts['SKIP']} skipped")
    return 1 if failed or not entries else 0


sys.exit(main(sys.argv[1]))
