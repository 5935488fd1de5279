"""What the checks found: problems with the file that they are in, and what could not be looked at."""

import shutil
import subprocess

import yaml

MOST_SECONDS = 30
# The one in C is ten times as fast; both make nothing but plain values.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Report:
    """Collects problems; nothing is printed here, so that broken copies can be checked in silence."""

    def __init__(self):
        self.problems = []
        self.skipped = []
        self.seen = []

    def wrong(self, where, what):
        self.problems.append(f"{where}: {what}")

    def expect(self, holds, where, what):
        """Notes `what` unless it holds; returns whether it does."""
        if not holds:
            self.wrong(where, what)
        return bool(holds)

    def saw(self, what):
        self.seen.append(what)

    def tool(self, name, install):
        """The path of a program, or None; then a line says what was left out and how to get it."""
        found = shutil.which(name)
        if not found:
            self.skipped.append(f"{name} is not here ({install})")
        return found

    def run(self, where, command, **options):
        """Runs a tool that has to succeed; returns what it printed."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, **options)
        except subprocess.TimeoutExpired:
            self.wrong(where, f"{command[0]} took more than {MOST_SECONDS} s")
            return ""
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            self.wrong(where, f"{' '.join(command)} refuses it:\n{said[-2000:]}")
        return done.stdout
