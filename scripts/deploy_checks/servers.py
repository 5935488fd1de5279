"""nginx.conf, haproxy.cfg and nats.conf, judged by the servers themselves, with names replaced by this machine and nothing started."""

import os
import re

from . import program

# Seconds for which nginx keeps an idle connection to a server where it is not told.
NGINX_KEEPS = 60


def _text(root, name, services, report):
    """The file with every `service:8080` of the cluster made an address of this machine; names that the cluster does not have are wrong."""
    text = (root / "deploy" / name).read_text()
    for service in sorted(set(re.findall(r"\bserver\s+(?:\S+\s+)?([a-z][\w-]*):8080", text))):
        report.expect(service in services, f"deploy/{name}", f"{service} is no service of compose.cluster.yaml")
        text = re.sub(rf"\b{service}:8080", "127.0.0.1:8080", text)
    for service in services:
        if re.fullmatch(r"(users|messages|chat)-\d+", service):
            report.expect(f"{service} " in (root / "deploy" / name).read_text().replace(":8080", " "), f"deploy/{name}", f"{service} of compose.cluster.yaml is not in it")
    return text


def nginx(root, services, temp, report):
    text = _text(root, "nginx.conf", services, report)
    folder = temp / "nginx"
    folder.mkdir(exist_ok=True)
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    text = text.replace("/tmp/nginx.pid", str(folder / "pid")).replace("http {", "http {\n" + "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds), 1)
    # A test opens the ports that are listened on; another may have this one.
    text = text.replace("listen 8080", f"listen unix:{folder}/socket")
    # More than this shell may allow.
    text = re.sub(r"(?m)^worker_rlimit_nofile .*$", "", text)
    (folder / "nginx.conf").write_text(text)
    idle = program.idle(root)
    for name, block in re.findall(r"(?s)upstream (\w+) \{(.*?)\}", text):
        told = re.search(r"keepalive_timeout (\d+)s;", block)
        keeps = int(told[1]) if told else NGINX_KEEPS
        report.expect("keepalive " not in block or keeps < idle, "deploy/nginx.conf", f"{name} keeps idle connections for {keeps} s, but guild closes them after {idle}")
    if command := report.tool("nginx", "apt-get install nginx"):
        report.run("deploy/nginx.conf", [command, "-t", "-q", "-p", str(folder), "-c", str(folder / "nginx.conf")])
        report.saw("nginx -t takes nginx.conf")


def haproxy(root, services, temp, report):
    # What this shell allows is not what a server allows.
    text = _text(root, "haproxy.cfg", services, report).replace("maxconn 32768", "maxconn 1000")
    (temp / "haproxy.cfg").write_text(text)
    idle = program.idle(root)
    # Where it is not told, it waits for the next request as long as for a head.
    told = re.search(r"timeout http-keep-alive (\d+)s", text) or re.search(r"timeout http-request (\d+)s", text)
    report.expect(told and int(told[1]) < idle, "deploy/haproxy.cfg", f"it keeps idle connections for longer than the {idle} s after which guild closes them")
    if command := report.tool("haproxy", "apt-get install haproxy"):
        report.run("deploy/haproxy.cfg", [command, "-c", "-q", "-f", str(temp / "haproxy.cfg")])
        report.saw("haproxy -c takes haproxy.cfg")


def nats(root, report):
    if command := report.tool("nats-server", "apt-get install nats-server"):
        report.run("deploy/nats.conf", [command, "-t", "-c", str(root / "deploy/nats.conf")], env={**os.environ, "NATS_PASSWORD": "p"})
        report.saw("nats-server -t takes nats.conf")
