"""What the program itself says: the names of its settings, the paths that it serves, and how long a stop and an idle connection take."""

import functools
import re
import tomllib

# Seconds that a stop takes at most once the clients have been sent away (crates/guild/src/shutdown.rs: MOST).
STOP_SECONDS = 10
DRAIN = "GUILD_LIMITS_DRAIN_SECONDS"
NAME = re.compile(r"\bGUILD_[A-Z][A-Z0-9_]*")


def _names(table, path):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _names(value, [*path, key])
        else:
            yield "_".join(["GUILD", *path, key]).upper()


def settings(root):
    """The environment variables of guild.default.toml: section.key is GUILD_SECTION_KEY."""
    return set(_names(tomllib.loads((root / "guild.default.toml").read_text()), []))


@functools.cache
def paths(root):
    """Which paths the program serves, with the crate that each stands in."""
    found = {}
    for file in sorted(root.glob("crates/*/src/**/*.rs")):
        crate = file.relative_to(root / "crates").parts[0]
        if file.stem.endswith("tests") or "tests" in file.parts:
            continue
        # Tests stand at a file's end and have routes of their own.
        text = file.read_text().partition("#[cfg(test)]\nmod tests {")[0]
        for path in re.findall(r'(?:\bpath = |\.route\()"(/[^"]*)"', text):
            found[path] = crate
    return found


def idle(root):
    """Seconds after which it closes a connection that waits for its next request."""
    return int(re.search(r"idle: Duration::from_secs\((\d+)\)", (root / "crates/edge/src/request_deadlines.rs").read_text())[1])


def drain(environment):
    """Seconds over which a process with this environment sends its clients away."""
    return int(environment.get(DRAIN, 0))


def check_names(root, report):
    """Every GUILD_… that stands anywhere in deploy/ is a setting."""
    known = settings(root)
    count = set()
    for file in sorted((root / "deploy").rglob("*")):
        if not file.is_file():
            continue
        for name in NAME.findall(file.read_text()):
            count.add(name)
            report.expect(name in known, file.relative_to(root), f"{name} is no setting (guild.default.toml)")
    report.saw(f"{len(count)} names of settings exist")
