"""The compose files: their own structure, what they name in this repository, and docker-compose where it is."""

import ipaddress
import os
import re

import yaml

from . import program
from .report import LOADER

TOP = {"name", "services", "volumes", "networks", "configs", "secrets"}
SERVICE = {
    "image", "build", "restart", "ports", "environment", "volumes", "read_only", "tmpfs", "cap_drop", "security_opt", "ulimits", "stop_grace_period",
    "stop_signal", "healthcheck", "depends_on", "networks", "command", "entrypoint", "shm_size", "user",
}


def load(root, name, report):
    """A compose file as its YAML means it, merges done; None if it is none."""
    try:
        return yaml.load((root / "deploy" / name).read_text(), LOADER)
    except yaml.YAMLError as error:
        report.wrong(f"deploy/{name}", f"is no YAML: {error}")
        return None


def _seconds(text):
    parts = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    return int(parts[1] or 0) * 60 + int(parts[2] or 0) if parts and text else None


def _service(root, where, name, service, file, report):
    services = file["services"]
    for key in set(service) - SERVICE:
        report.wrong(where, f"{name}: {key} is not known here")
    report.expect("image" in service or "build" in service, where, f"{name} has neither image nor build")
    report.expect(":" in service.get("image", ""), where, f"{name}: image names no version")
    if build := service.get("build"):
        context = root / "deploy" / build["context"]
        report.expect((context / build["dockerfile"]).is_file(), where, f"{name}: there is no {build['dockerfile']} to build from")
    depends = service.get("depends_on", {})
    for other, how in depends.items() if isinstance(depends, dict) else [(other, {}) for other in depends]:
        if report.expect(other in services, where, f"{name} depends on {other}, which is no service"):
            healthy = how.get("condition") != "service_healthy" or "healthcheck" in services[other]
            report.expect(healthy, where, f"{name} waits for {other} to be healthy, which has no healthcheck")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            report.expect((root / "deploy" / source).exists(), where, f"{name} mounts {source}, which does not exist")
        else:
            report.expect(source in (file.get("volumes") or {}), where, f"{name}: the volume {source} is not declared")
    for network in service.get("networks", {}):
        report.expect(network in (file.get("networks") or {}), where, f"{name}: the network {network} is not declared")
    for key in ("interval", "timeout", "start_period"):
        value = service.get("healthcheck", {}).get(key, "1s")
        report.expect(_seconds(value), where, f"{name}: healthcheck.{key} {value} is no time")
    grace = _seconds(service.get("stop_grace_period", "10s"))
    if report.expect(grace, where, f"{name}: stop_grace_period is no time") and service.get("image", "").startswith("guild:"):
        _guild(root, where, name, service, grace, report)


def _guild(root, where, name, service, grace, report):
    takes = program.drain(service.get("environment", {})) + program.STOP_SECONDS
    report.expect(grace > takes, where, f"{name}: stop_grace_period {grace} s is not longer than a stop takes, {takes} s")
    report.expect(service.get("read_only") is True and service.get("cap_drop") == ["ALL"], where, f"{name} is neither read-only nor without capabilities")
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\S*)", " ".join(service.get("healthcheck", {}).get("test", [])))
    if report.expect(asked, where, f"{name} has no healthcheck over HTTP"):
        port = service.get("environment", {}).get("GUILD_LISTEN", "").rpartition(":")[2]
        report.expect(asked[2] in program.paths(root), where, f"{name}: its healthcheck asks for {asked[2]}, which guild does not serve")
        report.expect(asked[1] == port, where, f"{name}: its healthcheck asks port {asked[1]}, it listens on {port}")


def _addresses(where, file, report):
    """Fixed addresses: inside the subnet, outside what is handed out, each once; the ingress's is the one that is trusted."""
    given = {name: service["networks"]["guild"]["ipv4_address"] for name, service in file["services"].items() if (service.get("networks", {}).get("guild") or {}).get("ipv4_address")}
    if not given:
        return
    config = file["networks"]["guild"]["ipam"]["config"][0]
    subnet, others = ipaddress.ip_network(config["subnet"]), ipaddress.ip_network(config["ip_range"])
    report.expect(len(set(given.values())) == len(given), where, "two services have the same address")
    for name, address in given.items():
        at = ipaddress.ip_address(address)
        report.expect(at in subnet and at not in others, where, f"{name}: {address} is not in {subnet} or may be handed out to another")
    for name, service in file["services"].items():
        trusted = service.get("environment", {}).get("GUILD_TRUSTED_PROXIES")
        report.expect(trusted in (None, given.get("ingress")), where, f"{name} trusts {trusted}, which is not the ingress")


def check(root, name, report, tools):
    where = f"deploy/{name}"
    file = load(root, name, report)
    if not file or not report.expect(isinstance(file.get("services"), dict), where, "has no services"):
        return
    for key in set(file) - TOP:
        report.expect(key.startswith("x-"), where, f"{key} is not known here")
    for service, what in file["services"].items():
        _service(root, where, service, what, file, report)
    _addresses(where, file, report)
    used = set(re.findall(r"\$\{(\w+)", (root / where).read_text()))
    given = set(re.findall(r"(?m)^(\w+)=", (root / "deploy/.env.example").read_text()))
    for variable in used - given:
        report.wrong(where, f"${{{variable}}} is not in .env.example")
    report.saw(f"{name}: {len(file['services'])} services")
    command = report.tool("docker-compose", "apt-get install docker-compose") if tools else None
    if command:
        # Version 1.29 does not know the line "name:". Beside the others, because paths are from there.
        plain = root / "deploy" / f".check-{os.getpid()}-{name}"
        try:
            plain.write_text(re.sub(r"(?m)^name:.*$", "", (root / where).read_text()))
            report.run(where, [command, "-f", str(plain), "config", "-q"], env={**os.environ, **dict.fromkeys(given, "p")})
        finally:
            plain.unlink(missing_ok=True)
        report.saw(f"docker-compose config takes {name}")
