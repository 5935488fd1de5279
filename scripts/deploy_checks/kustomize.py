"""What a kustomization means, for the few fields that deploy/kubernetes uses; and the same by kubectl, where it is."""

import re

import yaml

from .report import LOADER

# What deploy/README.md asks for.
OLDEST_KUBECTL = 27
KNOWN = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "secretGenerator", "images"}
CLUSTER_WIDE = {"Namespace"}


def _pairs(folder, generator):
    pairs = {}
    for file in generator.get("envs", []):
        for line in (folder / file).read_text().splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                key, _, value = line.partition("=")
                pairs[key.strip()] = value
    for file in generator.get("files", []):
        pairs[file.rpartition("/")[2]] = (folder / file).read_text()
    return pairs


def _generated(folder, kustomization):
    for kind, field in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        for generator in kustomization.get(field, []):
            data = "data" if kind == "ConfigMap" else "stringData"
            yield {"apiVersion": "v1", "kind": kind, "metadata": {"name": generator["name"]}, data: _pairs(folder, generator)}


def build(folder, report):
    """Every object of a kustomization, with the names that its files have (kustomize adds a hash to generated ones)."""
    objects = []
    try:
        kustomization = yaml.load((folder / "kustomization.yaml").read_text(), LOADER)
        for key in set(kustomization) - KNOWN:
            report.wrong(f"{folder.name}/kustomization.yaml", f"{key} is not known to scripts/check-deploy")
        listed = set(kustomization.get("resources", []))
        for name in kustomization.get("resources", []):
            if (folder / name).is_dir():
                objects += build((folder / name).resolve(), report)
            else:
                objects += [item for item in yaml.load_all((folder / name).read_text(), LOADER) if item]
        for file in folder.glob("*.yaml"):
            report.expect(file.name in listed | {"kustomization.yaml"}, f"{folder.name}/{file.name}", "no kustomization names it")
        objects += _generated(folder, kustomization)
    except (yaml.YAMLError, OSError) as error:
        report.wrong(f"{folder.name}/", f"cannot be read: {error}")
        return []
    for item in objects:
        if item["kind"] not in CLUSTER_WIDE:
            item["metadata"]["namespace"] = kustomization.get("namespace", item["metadata"].get("namespace"))
    images = {image["name"]: f"{image.get('newName', image['name'])}:{image['newTag']}" for image in kustomization.get("images", [])}
    for item in objects:
        for container in item.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            container["image"] = images.get(container["image"], container["image"])
    return objects


def _key(item):
    return item["kind"], re.sub(r"-[0-9a-z]{10}$", "", item["metadata"]["name"]) if item["kind"] in ("ConfigMap", "Secret") else item["metadata"]["name"]


def by_kubectl(folder, objects, report):
    """The same objects as kubectl makes them, or None without it."""
    command = report.tool("kubectl", "https://kubernetes.io/docs/tasks/tools; what follows was then read without it")
    if not command:
        return None
    version = re.search(r"v1\.(\d+)", report.run("kubectl", [command, "version", "--client"]))
    if not version or int(version[1]) < OLDEST_KUBECTL:
        report.skipped.append(f"kubectl is not here in version 1.{OLDEST_KUBECTL} or newer, whose kustomize has what is used")
        return None
    said = report.run(f"kubernetes/{folder.name}", [command, "kustomize", str(folder)])
    made = [item for item in yaml.load_all(said, LOADER) if item]
    report.expect(sorted(map(_key, made)) == sorted(map(_key, objects)), f"kubernetes/{folder.name}", "kubectl kustomize makes other objects than its files have")
    report.saw(f"kubectl kustomize makes {len(made)} objects of kubernetes/{folder.name}")
    return made


def schemas(where, objects, versions, report):
    """Every object against the schemas of these versions of Kubernetes, with nothing that they do not know."""
    try:
        import kubernetes_validate
    except ImportError:
        report.skipped.append("kubernetes-validate is not here (pip install kubernetes-validate, as acceptance/requirements.txt does)")
        return
    for version in versions:
        for item in objects:
            try:
                kubernetes_validate.validate(item, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                at = ".".join(map(str, error.path))
                report.wrong(where, f"{item['kind']} {item['metadata']['name']}, Kubernetes {version}: {at}: {error.message[:300]}")
    report.saw(f"{len(objects)} objects of {where} fit the schemas of Kubernetes {' and '.join(versions)}")


def check_copy(root, report):
    """kustomize reads nothing from outside its folder, so nats.conf stands twice."""
    same = (root / "deploy/nats.conf").read_bytes() == (root / "deploy/kubernetes/example/nats.conf").read_bytes()
    report.expect(same, "deploy/kubernetes/example/nats.conf", "is not the same as deploy/nats.conf")


