"""Every check can fail: one mistake at a time in a copy, which has to be found with the words that belong to it."""

CLUSTER, DOCKER, BASE, TRY = "compose.cluster.yaml", "Dockerfile", "kubernetes/base", "kubernetes/example"

# Who looks (with "+" also the programs that are slow to start); the file in deploy/; what stands there, and what then stands there instead;
# what has to be said. A mistake whose program is not here is left out.
MISTAKES = [
    ("names", CLUSTER, "GUILD_NATS_USER", "GUILD_NATS_USERNAME", "GUILD_NATS_USERNAME is no setting"),
    ("names", f"{BASE}/settings.env", "GUILD_LOG_FORMAT", "GUILD_LOGFORMAT", "GUILD_LOGFORMAT is no setting"),
    ("compose", CLUSTER, "services:\n", "services:\n  - broken: [\n", "is no YAML"),
    ("compose", CLUSTER, "depends_on: { messages-1:", "depends_on: { messages-3:", "depends on messages-3, which is no service"),
    ("compose", CLUSTER, "volumes:\n  postgres:\n", "", "the volume postgres is not declared"),
    ("compose", CLUSTER, "./nginx.conf:", "./nginx.cfg:", "mounts ./nginx.cfg, which does not exist"),
    ("compose", CLUSTER, "stop_grace_period: 40s", "stop_grace_period: 30s", "is not longer than a stop takes, 30 s"),
    ("compose", CLUSTER, "8080/readyz", "8080/ready", "asks for /ready, which guild does not serve"),
    ("compose", CLUSTER, "GUILD_LISTEN: 0.0.0.0:8080", "GUILD_LISTEN: 0.0.0.0:8081", "asks port 8080, it listens on 8081"),
    ("compose", CLUSTER, "ipv4_address: 172.30.80.42", "ipv4_address: 172.30.80.41", "two services have the same address"),
    ("compose", CLUSTER, "GUILD_TRUSTED_PROXIES: 172.30.80.10", "GUILD_TRUSTED_PROXIES: 172.30.80.11", "which is not the ingress"),
    ("compose", CLUSTER, "${NATS_PASSWORD:", "${NATS_SECRET:", "${NATS_SECRET} is not in .env.example"),
    ("compose", "compose.yaml", "environment:", "enviroment:", "enviroment is not known"),
    ("compose", "compose.yaml", "dockerfile: deploy/Dockerfile", "dockerfile: Dockerfile", "there is no Dockerfile to build from"),
    ("compose", "compose.yaml", "read_only: true", "read_only: false", "is neither read-only"),
    ("compose+docker-compose", "compose.yaml", "restart: unless-stopped", "restart: [never]", "docker-compose"),
    ("dockerfile", DOCKER, "USER 10001:10001\n", "", "USER of the last stage is root"),
    ("dockerfile", DOCKER, "COPY web web", "COPY website web", "COPY website: it does not exist"),
    ("dockerfile", DOCKER, "COPY bench bench\n", "", "member bench (Cargo.toml) is not copied"),
    ("dockerfile", DOCKER, "COPY web web", "COPY deploy deploy", ".dockerignore keeps it"),
    ("dockerfile", DOCKER, "--from=build", "--from=builder", "no stage before has that name"),
    ("dockerfile", DOCKER, "rust:1.95-", "rust:1.80-", "is older than Rust"),
    ("dockerfile", DOCKER, "EXPOSE 8080", "EXPOSE 80", "is not the port of GUILD_LISTEN"),
    ("dockerfile", DOCKER, "8080/healthz", "8080/health", "a path that guild does not serve"),
    ("dockerfile+hadolint", DOCKER, "WORKDIR /data", "WORKDIR data", "hadolint"),
    ("nginx+nginx", "nginx.conf", "hash $remote_addr consistent;", "hash consistently;\n    hash;", "nginx"),
    ("nginx", "nginx.conf", "keepalive_timeout 60s;", "keepalive_timeout 130s;", "messages keeps idle connections for 130 s, but guild closes them after 130"),
    ("haproxy", "haproxy.cfg", "timeout http-request 10s", "timeout http-request 10s\n  timeout http-keep-alive 300s", "it keeps idle connections for longer than the 130 s"),
    ("nginx", "nginx.conf", "server chat-2:8080", "server chat-3:8080", "chat-3 is no service"),
    ("haproxy+haproxy", "haproxy.cfg", "balance source", "balance sauce", "haproxy"),
    ("haproxy", "haproxy.cfg", "server users-2 users-2:8080", "server users-2 users-4:8080", "users-4 is no service"),
    ("nats+nats-server", "nats.conf", "ping_max: 2", "ping_max: two", "nats-server"),
    ("kubernetes", "nats.conf", "ping_max: 2", "ping_max: 3", "is not the same as deploy/nats.conf"),
    ("kubernetes", f"{BASE}/kustomization.yaml", "  - users.yaml\n", "", "no kustomization names it"),
    ("kubernetes", f"{BASE}/kustomization.yaml", "images:", "patches:", "patches is not known"),
    ("kubernetes", f"{BASE}/chat.yaml", "spec:\n  replicas", "spec: [\n  replicas", "cannot be read"),
    ("kubernetes", f"{BASE}/chat.yaml", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "is not longer than a stop takes, 35"),
    ("kubernetes", f"{BASE}/chat.yaml", "name: GUILD_LIMITS_DRAIN_SECONDS, value: \"20\"", "name: GUILD_LIMITS_DRAIN_SECONDS, value: \"0\"", "its clients leave all at once"),
    ("kubernetes", f"{BASE}/chat.yaml", "    matchLabels: { app.kubernetes.io/name: guild, app.kubernetes.io/component: chat }\n  strategy",
     "    matchLabels: { app.kubernetes.io/name: guild, app.kubernetes.io/component: gateway }\n  strategy", "its selector does not fit its own labels"),
    ("kubernetes", f"{BASE}/users.yaml", "path: /readyz", "path: /ready", "readinessProbe asks for /ready"),
    ("kubernetes", f"{BASE}/users.yaml", "path: /healthz, port: http", "path: /healthz, port: 9090", "asks port 9090"),
    ("kubernetes", f"{BASE}/users.yaml", "targetPort: http", "targetPort: web", "no container has the port web"),
    ("kubernetes", f"{BASE}/users.yaml", "key: DATABASE_URL", "key: DATABASE", "there is no Secret guild-secrets with DATABASE"),
    ("kubernetes", f"{BASE}/users.yaml", "name: guild-settings", "name: guild-setting", "there is no ConfigMap guild-setting"),
    ("kubernetes", f"{BASE}/users.yaml", "value: users", "value: messages", "GUILD_RUN covers"),
    ("kubernetes", f"{BASE}/users.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
    ("kubernetes", f"{BASE}/users.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write to its root file system"),
    ("kubernetes", f"{BASE}/users.yaml", "drop: [ALL]", "drop: []", "keeps capabilities"),
    ("kubernetes", f"{BASE}/users.yaml", "type: RuntimeDefault", "type: Unconfined", "has no seccomp profile"),
    ("kubernetes", f"{BASE}/users.yaml", "memory: 512Mi", "memory: 64Mi", "the limit is below the request"),
    ("kubernetes", f"{BASE}/users.yaml", "maxUnavailable: 0", "maxUnavailable: 1", "an update takes one away"),
    ("kubernetes", f"{BASE}/users.yaml", "kubernetes.io/hostname", "kubernetes.io/host", "it is not spread over nodes"),
    ("kubernetes", f"{BASE}/users.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks has to be false"),
    ("kubernetes", f"{BASE}/users.yaml", "kind: PodDisruptionBudget", "kind: Disruption", "has no PodDisruptionBudget"),
    ("kubernetes", f"{BASE}/ingress.yaml", "name: chat-live", "name: chat-alive", "there is no Service chat-alive"),
    ("kubernetes", f"{BASE}/ingress.yaml", "path: /graphql", "path: /graph", "/graphql goes to chat, but messages serves it"),
    ("kubernetes", f"{BASE}/ingress.yaml", "path: /metrics", "path: /numbers", "everybody can read /metrics"),
    ("kubernetes", f"{BASE}/ingress.yaml", "upstream-hash-by: $remote_addr", "load-balance: ewma", "is not sent by the client's address"),
    ("kubernetes", f"{TRY}/nats.yaml", "name: settings, mountPath", "name: setting, mountPath", "the volume setting is not declared"),
    ("kubernetes", f"{TRY}/nats.yaml", "kind: Service\nmetadata:\n  name: nats", "kind: Service\nmetadata:\n  name: bus", "the host of GUILD_NATS_URL is no Service"),
    ("kubernetes+kubectl", f"{TRY}/kustomization.yaml", "files: [nats.conf]", "files: [../../nats.conf]", "kubectl"),
    ("kubernetes+kubernetes-validate", f"{BASE}/users.yaml", "periodSeconds: 5", "period: 5", "Additional properties are not allowed"),
]


def check(root, look):
    """Makes each mistake in turn. Out: what was not found (or did not fit the file), how many were made, and those left out."""
    missed, made, left_out = [], 0, []
    for who, name, old, new, words in MISTAKES:
        group, _, tool = who.partition("+")
        file = root / "deploy" / name
        right = file.read_text()
        title = f"deploy/{name} with {new.strip()!r}" if new else f"deploy/{name} without {old.strip()!r}"
        if old not in right:
            missed.append(f"{title}: {old!r} does not stand there any more (scripts/deploy_checks/broken.py)")
            continue
        try:
            file.write_text(right.replace(old, new))
            report = look(group, bool(tool))
        finally:
            file.write_text(right)
        if tool and any(line.startswith(f"{tool} is not here") for line in report.skipped):
            left_out.append(tool)
            continue
        made += 1
        if not any(words in line for line in report.problems):
            missed.append(f"{title}: it was not found; said was {report.problems[:3] or 'nothing'}")
    return missed, made, left_out
