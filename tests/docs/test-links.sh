#!/bin/sh
# Breaks when a document refers to a file or a heading that is not there. Argument: SOURCE_ROOT.
set -eu

python3 - "$1" <<'PY'
import os, re, sys

root = sys.argv[1]
docs = [os.path.join(root, name) for name in ("README.md", "CONTRIBUTING.md")]
docs += sorted(os.path.join(root, "docs", name) for name in os.listdir(os.path.join(root, "docs"))
               if name.endswith(".md"))


def anchor(heading):
    """As the forges make them: lower case, no punctuation, spaces become dashes."""
    text = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", text))


def anchors(path):
    text = re.sub(r"^```.*?^```$", "", open(path).read(), flags=re.S | re.M)
    return {anchor(h) for h in re.findall(r"^#+ (.*)$", text, re.M)}


bad = n = 0
for doc in docs:
    text = re.sub(r"^```.*?^```$", "", open(doc).read(), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        n += 1
        path, _, fragment = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(doc), path)) if path else doc
        if not os.path.exists(path) or fragment and fragment not in anchors(path):
            print("%s: %s leads nowhere" % (os.path.relpath(doc, root), target))
            bad = 1
if n < 20:
    sys.exit("only %d links found" % n)
print("ok: %d links" % n if not bad else "")
sys.exit(bad)
PY
