"""The Ingress: every path that the program serves goes to a service that serves it."""

# Each process has these of its own; none of them says which service answers.
OWN = {"/healthz", "/readyz", "/metrics"}
# Which service answers for which crate's paths: GraphQL runs beside rooms and the log, the page and the documents beside the gateways.
SERVED_BY = {"users": "users", "messages": "messages", "graphql": "messages", "chat": "chat", "guild": "chat", "socketio": "chat"}


def _matches(rule, path):
    prefix = rule["path"].rstrip("/")
    return path == rule["path"] or rule["pathType"] == "Prefix" and (path == prefix or path.startswith(prefix + "/"))


def check_ingress(objects, runs, served):
    """`runs`: the service that each workload runs, by the workload's name; `served`: the crate of each path."""
    def expect(holds, what):
        return objects.report.expect(holds, objects.where, what)
    rules = []
    for item in objects.kind("Ingress"):
        for host in item["spec"]["rules"]:
            for rule in host["http"]["paths"]:
                backend = rule["backend"]["service"]
                service = objects.named.get(("Service", backend["name"]))
                title = f"Ingress {item['metadata']['name']}: {rule['path']}"
                if not expect(service, f"{title}: there is no Service {backend['name']}"):
                    continue
                ports = {port.get("name") for port in service["spec"]["ports"]} | {port["port"] for port in service["spec"]["ports"]}
                expect(set(backend["port"].values()) <= ports, f"{title}: {backend['name']} has no port {backend['port']}")
                names = [chosen["metadata"]["name"] for chosen in objects.chosen(service["spec"]["selector"])]
                rules.append((rule, names[0] if names else None, item))
    for path, crate in {**served, "/socket.io/": "chat"}.items():
        fitting = [entry for entry in rules if _matches(entry[0], path)]
        if not expect(fitting, f"Ingress: {path} goes nowhere"):
            continue
        # The longest wins, and an exact one before a prefix.
        rule, workload, ingress = max(fitting, key=lambda entry: (entry[0]["pathType"] == "Exact", len(entry[0]["path"])))
        if path not in OWN:
            expect(runs.get(workload) == SERVED_BY.get(crate), f"Ingress: {path} goes to {workload}, but {SERVED_BY.get(crate, crate)} serves it")
        elif path == "/metrics":
            closed = ingress["metadata"].get("annotations", {}).get("nginx.ingress.kubernetes.io/whitelist-source-range")
            expect(rule["path"] == "/metrics" and closed, "Ingress: everybody can read /metrics")
        if path == "/socket.io/":
            hashed = ingress["metadata"].get("annotations", {}).get("nginx.ingress.kubernetes.io/upstream-hash-by")
            expect(hashed == "$remote_addr", "Ingress: /socket.io is not sent by the client's address, which long polling needs")
