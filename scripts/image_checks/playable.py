"""Rewrites what Podman 4.3 does not understand of manifests on standard input: the rest stays as it stands.

Prints the manifests, and writes each secret as the JSON of its data into a folder: Podman 4.3 keeps a Secret of a manifest as YAML, and then
cannot read it.
"""

import json
import pathlib
import sys

import yaml

folder = pathlib.Path(sys.argv[1])
left = []
for one in yaml.safe_load_all(sys.stdin):
    if one["kind"] == "Secret":
        (folder / one["metadata"]["name"]).write_text(json.dumps(one["data"]))
        continue
    if one["kind"] == "Deployment":
        for container in one["spec"]["template"]["spec"]["containers"]:
            # Each port of a container would be published on this machine, and all of them are 8080. Probes name it, which Podman reads as 0.
            ports = {port["name"]: port["containerPort"] for port in container.pop("ports")}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container[probe]["httpGet"]
                asked["port"] = ports.get(asked["port"], asked["port"])
    left.append(one)
yaml.safe_dump_all(left, sys.stdout)
