"""What must hold among the Kubernetes objects: one names another, and how guild is run, asked and stopped."""

import re

from . import program
from .routes import check_ingress

WORKLOADS = ("Deployment", "StatefulSet")
UNITS = {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def _quantity(text):
    parts = re.fullmatch(r"([\d.]+)(\w*)", str(text))
    return float(parts[1]) * UNITS[parts[2]] if parts and parts[2] in UNITS else None


def _fits(selector, labels):
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


class Objects:
    """The objects of a kustomization, by kind and name."""

    def __init__(self, objects, where, report):
        self.all, self.where, self.report = objects, where, report
        self.named = {(item["kind"], item["metadata"]["name"]): item for item in objects}
        report.expect(len(self.named) == len(objects), where, "two objects have the same kind and name")
        self.workloads = [item for item in objects if item["kind"] in WORKLOADS]

    def kind(self, kind):
        return [item for item in self.all if item["kind"] == kind]

    def data(self, kind, name):
        item = self.named.get((kind, name))
        return None if item is None else {**(item.get("data") or {}), **(item.get("stringData") or {})}

    def chosen(self, selector):
        return [item for item in self.workloads if _fits(selector, item["spec"]["template"]["metadata"]["labels"])]


def _title(item):
    return f"{item['kind']} {item['metadata']['name']}"


def _pod(item):
    return item["spec"]["template"]["spec"]


def _services(objects):
    for item in objects.kind("Service"):
        def expect(holds, what):
            return objects.report.expect(holds, objects.where, f"{_title(item)}: {what}")
        chosen = objects.chosen(item["spec"].get("selector"))
        if expect(len(chosen) == 1, f"its selector fits {len(chosen)} workloads, not one"):
            ports = [port for container in _pod(chosen[0])["containers"] for port in container.get("ports", [])]
            known = {port.get("name") for port in ports} | {port["containerPort"] for port in ports}
            for port in item["spec"]["ports"]:
                target = port.get("targetPort", port["port"])
                expect(target in known, f"no container has the port {target}")


def _budgets(objects):
    protected = []
    for item in objects.kind("PodDisruptionBudget"):
        chosen = objects.chosen(item["spec"]["selector"]["matchLabels"])
        objects.report.expect(len(chosen) == 1, objects.where, f"{_title(item)}: its selector fits {len(chosen)} workloads, not one")
        objects.report.expect(item["spec"].get("maxUnavailable") == 1, objects.where, f"{_title(item)}: has to let one go at a time")
        protected += chosen
    for item in objects.kind("Deployment"):
        objects.report.expect(item in protected, objects.where, f"{_title(item)} has no PodDisruptionBudget")


def _references(objects, item, container, expect):
    """Follows what a container takes from ConfigMaps and Secrets; returns the values that are known from here."""
    values = {}
    for source in container.get("envFrom", []):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in source:
                data = objects.data(kind, source[field]["name"])
                if expect(data is not None, f"there is no {kind} {source[field]['name']}"):
                    values |= data
    for variable in container.get("env", []):
        values[variable["name"]] = variable.get("value", "")
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if reference := variable.get("valueFrom", {}).get(field):
                data = objects.data(kind, reference["name"])
                expect(data is not None and reference["key"] in data, f"there is no {kind} {reference['name']} with {reference['key']}")
    pod = _pod(item)
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])}
    for mount in container.get("volumeMounts", []):
        expect(mount["name"] in volumes, f"the volume {mount['name']} is not declared")
    for volume in pod.get("volumes", []):
        for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
            if field in volume:
                expect(objects.data(kind, volume[field][key]) is not None, f"there is no {kind} {volume[field][key]}")
    return values


def _hardened(item, container, expect):
    own, pod = container.get("securityContext", {}), _pod(item).get("securityContext", {})
    expect(pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0, "may run as root")
    expect(pod.get("seccompProfile", {}).get("type") == "RuntimeDefault", "has no seccomp profile")
    expect(own.get("readOnlyRootFilesystem") is True, "may write to its root file system")
    expect(own.get("allowPrivilegeEscalation") is False, "may gain privileges")
    expect(own.get("capabilities", {}).get("drop") == ["ALL"], "keeps capabilities")
    resources = container.get("resources", {})
    for kind in ("cpu", "memory"):
        least, most = (_quantity(resources.get(field, {}).get(kind)) for field in ("requests", "limits"))
        expect(least and most and least <= most, f"{kind}: no request and limit, or the limit is below the request")


def _guild(objects, item, container, values, served, expect):
    pod, spec = _pod(item), item["spec"]
    expect(pod.get("enableServiceLinks") is False, "enableServiceLinks has to be false: guild refuses variables that it does not know")
    expect(pod.get("automountServiceAccountToken") is False, "has a token for Kubernetes that it does not need")
    port = values.get("GUILD_LISTEN", "").rpartition(":")[2]
    ports = {given["name"]: given["containerPort"] for given in container["ports"]}
    expect(port in map(str, ports.values()), f"listens on {port}, which is none of its ports {ports}")
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        asks = container.get(probe, {}).get("httpGet", {})
        expect(asks.get("path") == path and path in served, f"{probe} asks for {asks.get('path')}, not for {path}")
        expect(str(ports.get(asks.get("port"), asks.get("port"))) == port, f"{probe} asks port {asks.get('port')}, it listens on {port}")
    before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    expect(before[0] == "sleep", "its preStop does not sleep")
    takes = int(before[1]) + program.drain(values) + program.STOP_SECONDS
    grace = pod.get("terminationGracePeriodSeconds", 30)
    expect(grace > takes, f"terminationGracePeriodSeconds {grace} is not longer than a stop takes, {takes}")
    rolling = spec.get("strategy", {}).get("rollingUpdate")
    expect(rolling == {"maxUnavailable": 0, "maxSurge": 1}, "an update takes one away before the next is there")
    expect(spec["replicas"] >= 2, "there are fewer than two of it")
    spread = [rule for rule in pod.get("topologySpreadConstraints", []) if rule["topologyKey"] == "kubernetes.io/hostname"]
    labels = spec["template"]["metadata"]["labels"]
    expect(len(spread) == 1 and _fits(spread[0]["labelSelector"]["matchLabels"], labels), "it is not spread over nodes")
    runs = values.get("GUILD_RUN", "")
    expect("GUILD_NATS_URL" in values, "has no GUILD_NATS_URL")
    expect(runs == "chat" or "GUILD_DATABASE_URL" in values, "keeps something, and has no GUILD_DATABASE_URL")
    expect(runs != "chat" or program.drain(values) > 0, f"its clients leave all at once: {program.DRAIN}")
    return runs


def check(root, where, found, outside, report):
    """All rules over one kustomization. `outside`: whether PostgreSQL and NATS are somewhere else, so that their names are not known here."""
    objects = Objects(found, where, report)
    _services(objects)
    _budgets(objects)
    served, runs = program.paths(root), {}
    for item in objects.workloads:
        def expect(holds, what):
            return report.expect(holds, where, f"{_title(item)}: {what}")
        selector = item["spec"]["selector"]["matchLabels"]
        expect(_fits(selector, item["spec"]["template"]["metadata"]["labels"]), "its selector does not fit its own labels")
        expect(len(objects.chosen(selector)) == 1, "its selector fits another's labels too")
        if "serviceName" in item["spec"]:
            expect(("Service", item["spec"]["serviceName"]) in objects.named, f"there is no Service {item['spec']['serviceName']}")
        for container in _pod(item)["containers"]:
            expect(re.search(r":[\w.-]+$", container["image"]), f"the image {container['image']} has no version")
            _hardened(item, container, expect)
            values = _references(objects, item, container, expect)
            if re.search(r"(^|/)guild:", container["image"]):
                runs[item["metadata"]["name"]] = _guild(objects, item, container, values, served, expect)
                host = re.search(r"://([\w.-]+)", values.get("GUILD_NATS_URL", ""))
                expect(outside or host and ("Service", host[1]) in objects.named, "the host of GUILD_NATS_URL is no Service")
    report.expect(sorted(runs.values()) == ["chat", "messages", "users"], where, f"GUILD_RUN covers {sorted(runs.values())}")
    check_ingress(objects, runs, served)
    report.saw(f"{where}: {len(objects.workloads)} workloads, what they name exists, and a stop has its time")
