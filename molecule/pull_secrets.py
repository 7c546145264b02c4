# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the pull secrets of the cluster as JSON, without their passwords, read with the kubernetes client alone.

With --delete, delete them after that.
"""

import base64
import json
import sys

from kubernetes import client, config

config.load_kube_config(context="colima-k8s")
found = []
for secret in client.CoreV1Api().list_secret_for_all_namespaces(field_selector="metadata.name=ecr-creds").items:
    auths = json.loads(base64.b64decode(secret.data[".dockerconfigjson"]))["auths"]
    found.append(
        {
            "namespace": secret.metadata.namespace,
            "type": secret.type,
            "hosts": sorted(auths),
            "users": sorted({base64.b64decode(entry["auth"]).decode().split(":")[0] for entry in auths.values()}),
            "version": secret.metadata.resource_version,
        }
    )
print(json.dumps(found))
if "--delete" in sys.argv:
    for each in found:
        client.CoreV1Api().delete_namespaced_secret("ecr-creds", each["namespace"])
