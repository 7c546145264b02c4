#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_pull_secret
short_description: Keep ECR image pull secrets fresh in Kubernetes namespaces
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Asks AWS for registry tokens, with the identity given for each registry, and writes them into one secret of type
    C(kubernetes.io/dockerconfigjson) per namespace, by server-side apply.
  - The secret records its registries, expiry, identity and a digest as annotations (C(laptop.containers/...)). While enough of
    the tokens' life is left and nothing else differs, a run makes one metadata-only list call to the cluster and none to AWS.
  - One token is asked for per identity and region, however many accounts and namespaces it serves.
  - The secret is replaced in place. When anything fails, the old one stays as it is; namespaces and clusters that can be served
    are served. Without tokens (one registry that refuses is enough, as the secret holds all of them) nothing is written, and what
    takes none is still done.
  - It owns the secrets that carry the label C(app.kubernetes.io/managed-by=laptop.containers) and, in service accounts that it
    has marked, one entry of C(imagePullSecrets). Other secrets, entries and fields are never touched.
  - On request the same tokens log in docker on the laptop, or nerdctl inside a colima profile.
  - Tokens never appear in arguments, results, diffs, logs or files of this collection.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  name:
    description: Name of the secret.
    type: str
    default: ecr-creds
  registries:
    description:
      - The registries that the secret opens. Needed unless O(state=absent). Each item is a host, or a mapping.
      - V(host) is the name of a registry in any form that AWS uses - classic, FIPS, dual-stack, China, GovCloud, EU sovereign,
        isolated - or V(public.ecr.aws). Repositories and pull-through cache prefixes behind the host are ignored.
      - V(account_id) and V(region) together stand for the classic host. Put the account in quotes, as YAML takes a number that
        begins with zero for an octal one; what is not 12 digits is refused.
      - V(profile) is the AWS profile (SSO, C(credential_process), keys, roles, as the AWS CLI reads them). Without it the default
        credential chain counts, with E(AWS_PROFILE) and the other variables of the environment.
      - V(role_arn) is a role to assume first, from that profile or the default chain; with it go V(external_id),
        V(duration) in seconds from 900 to 43200, V(session_name) and V(sts_endpoint_url).
      - V(endpoint_url) is another address of the ECR API, for instance a VPC endpoint.
      - V(aliases) are further names, as host or host:port, under which the same registry is reached.
    type: list
    elements: raw
    default: []
  namespaces:
    description:
      - Where the secret goes. Each item is a name, a glob such as V(team-*), or V(all). A glob that finds nothing is a warning.
      - Without it, V(default) - or only what O(namespace_selector) finds, if that is given.
    type: list
    elements: str
  namespace_selector:
    description: A label selector; the namespaces that it finds are added. For instance V(pull-from=ecr).
    type: str
  exclude_namespaces:
    description: Names and globs that are left out, whatever chose them.
    type: list
    elements: str
    default: []
  create_namespaces:
    description: Whether named namespaces that do not exist are created. Otherwise they are a failure.
    type: bool
    default: false
  service_accounts:
    description:
      - Names of service accounts, V(*) for all, whose C(imagePullSecrets) get an entry for the secret. Other entries stay.
      - An entry that this module added is removed when the account is not listed any more.
      - A named account that does not exist is reported as pending; the next run adds the entry.
    type: list
    elements: str
    default: []
  contexts:
    description: The kube contexts of the clusters that get the secret.
    type: list
    elements: str
    default: [colima-k8s]
  kubeconfig:
    description:
      - The kubeconfig file. Without it E(KUBECONFIG) (a list of files, as in kubectl), else C(~/.kube/config).
      - Of impersonation C(as) is supported. Proxies are C(proxy-url) (http, https or SOCKS 5), or those of the environment, as in
        kubectl. What is not supported is refused by name.
    type: path
  refresh_before:
    description:
      - How much life of a token must be left. Below it, the secret is renewed.
      - V(half) of its life, a percentage such as V(40%), or a time below 12 hours such as V(6h) or V(1h30m).
    type: str
    default: half
  adopt:
    description:
      - Whether a secret of that name that another program made is taken over. Otherwise it is a failure.
      - Log-ins of other registries in it stay, now and in every renewal. The diff names them.
    type: bool
    default: false
  force_conflicts:
    description:
      - Whether content that another manager changed in our secret is overwritten. Otherwise it is a failure.
      - Our annotations that another manager changed are always restored.
    type: bool
    default: false
  prune:
    description:
      - Whether our secrets of that name are removed from namespaces that are not chosen any more. When none of the chosen
        ones exists nothing is removed, and that is a failure; to remove all, set O(state=absent).
    type: bool
    default: false
  docker_cred_helpers:
    description:
      - Whether docker asks AWS' own credential helper for these registries, through C(credHelpers) in its C(config.json). Docker
        then needs none of our tokens; C(docker-credential-ecr-login) must be on E(PATH).
      - For a registry with a V(profile), a small script C(~/.local/bin/docker-credential-ecr-login-PROFILE) starts that helper
        with this profile, so that docker uses several accounts at once. It holds no secret, and is removed when it is not
        wanted any more.
      - Other settings, their order, the file's mode and a link stay; a copy of the file, without its logins, is kept beside it
        (RV(backup_files)).
        An entry that this module added is removed when it is not wanted any more; another helper's is a failure.
    type: bool
    default: false
  docker_login:
    description:
      - Whether docker is logged in to these registries with the same tokens, by C(docker login --password-stdin), so that the
        credential store that docker uses keeps them. The logins count for every docker context.
      - They are renewed like the secret (O(refresh_before)), and logged out when they are not wanted any more. What was logged
        in to, and until when, is noted in C(~/.local/state/laptop.containers/registry_logins.json), by O(name), without the
        token.
      - Excludes O(docker_cred_helpers).
    type: bool
    default: false
  nerdctl_profiles:
    description:
      - colima profiles with runtime containerd, in which nerdctl is logged in with the same tokens. It is root's login, as
        C(colima nerdctl) and its wrapper run nerdctl as root. Renewed, noted and logged out as with O(docker_login).
      - For a profile that is not running, O(unreachable) says what that means.
    type: list
    elements: str
    default: []
  expected_contexts:
    description:
      - Those of O(contexts) whose cluster an earlier task of the same run makes, or starts. Check mode, in which that task has
        only planned, says so, and plans a cluster that does not exist yet as a new one.
    type: list
    elements: str
    default: []
  unreachable:
    description:
      - What it means when a cluster does not answer or its context does not exist, or a profile of O(nerdctl_profiles) does not
        run. V(fail) is a failure, after all else was served. V(pending) reports it in RV(pending) and succeeds, for timers that
        also run while the profile is stopped.
      - Whatever else is wrong with a cluster (its kubeconfig entry, its log-in program, its rights) is a failure with either
        value, after all else was served.
    type: str
    choices: [fail, pending]
    default: fail
  state:
    description:
      - V(absent) removes our secrets from the chosen namespaces, their entries from service accounts (also where another program
        has deleted the secret), and the logins and C(credHelpers) that this module made.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - boto3 (only imported when a token is due)
  - kubernetes (37 or newer)
  - PySocks (only for clusters behind a SOCKS proxy)
  - PyYAML
notes:
  - In check mode AWS is not asked. A cluster that can't be reached is planned from the options, with a warning.
  - The cluster must allow get and patch, create (and for O(state=absent) or O(prune) delete) on secrets; list on secrets,
    namespaces and service accounts is used where it is allowed, and needed for globs, V(all), O(namespace_selector) and
    O(service_accounts).
"""

EXAMPLES = r"""
- name: Let pods of the default namespace pull from one registry
  laptop.containers.ecr_pull_secret:
    registries:
      - host: 123456789012.dkr.ecr.eu-central-1.amazonaws.com
        profile: dev

- name: Several accounts, regions and identities, in every namespace of a team
  laptop.containers.ecr_pull_secret:
    registries:
      - {account_id: "123456789012", region: eu-central-1, profile: dev}
      - {account_id: "210987654321", region: us-east-1, profile: dev, role_arn: "arn:aws:iam::210987654321:role/pull"}
      - public.ecr.aws
    namespaces: [default, "team-*"]
    exclude_namespaces: [team-legacy]
    service_accounts: [default]
    prune: true

- name: Log in docker and the nerdctl of profile k8s, too
  laptop.containers.ecr_pull_secret:
    registries:
      - {host: 123456789012.dkr.ecr.eu-central-1.amazonaws.com, profile: dev}
    docker_login: true
    nerdctl_profiles: [k8s]

- name: Remove it again everywhere
  laptop.containers.ecr_pull_secret:
    namespaces: [all]
    state: absent
"""

RETURN = r"""
actions:
  description:
    - What was done, also by a run that failed, or would be done in check mode, in plain English. More than 15 steps are grouped.
  returned: unless options are refused
  type: list
  elements: str
  sample: ["renew pull secret colima-k8s/default/ecr-creds (5.4 h are left)"]
secrets:
  description: The state of every chosen namespace.
  returned: unless options are refused
  type: list
  elements: dict
  contains:
    context:
      description: The kube context.
      type: str
    namespace:
      description: The namespace.
      type: str
    name:
      description: Name of the secret.
      type: str
    state:
      description:
        - V(fresh), V(created), V(renewed), V(adopted), V(deleted), V(absent), V(failed), V(foreign) (another manager's), V(gone)
          (the namespace is being deleted, or has been meanwhile), or in check mode V(due).
      type: str
    reason:
      description: Why it was written, or why that failed.
      type: str
    hosts:
      description: The registries in the secret, each with the hours that its token has left.
      type: dict
    expires_at:
      description: When the first of the tokens expires.
      type: str
      sample: "2026-11-24T10:31:07Z"
    hours_left:
      description: The hours until then.
      type: float
    digest:
      description: The start of the SHA-256 digest of the secret's content.
      type: str
logins:
  description: The logins beyond the cluster, and the C(credHelpers) of docker.
  returned: unless options are refused
  type: list
  elements: dict
  contains:
    output:
      description: V(docker), V(cred_helper), V(wrapper) (a script that starts the helper with one AWS profile) or V(nerdctl).
      type: str
    where:
      description: docker's directory, that of the script, or the colima profile.
      type: str
    host:
      description: The registry; of a script, the name of its helper.
      type: str
    state:
      description:
        - V(fresh), V(logged_in), V(logged_out), V(added), V(removed), V(failed), V(waiting) for a profile that does not run, or
          V(due) in check mode.
      type: str
    reason:
      description: Why it was made, or why that failed.
      type: str
    expires_at:
      description: When its token expires.
      type: str
    hours_left:
      description: The hours until then.
      type: float
backup_files:
  description: Where docker's C(config.json) has been kept as it was before C(credHelpers) changed.
  returned: when it changed
  type: list
  elements: str
failed_namespaces:
  description: The namespaces that could not be served, with context and reason.
  returned: unless options are refused
  type: list
  elements: dict
failed_contexts:
  description: The kube contexts that could not be served as a whole, or not pruned, with the reason.
  returned: unless options are refused
  type: list
  elements: dict
kind:
  description:
    - What kept tokens away - V(sso_expired), V(no_credentials), V(no_profile), V(mfa), V(access_denied), V(throttled),
      V(clock_skew), V(tls), V(network) or V(aws).
  returned: when AWS gave no token
  type: str
guess:
  description: Whether a plan of check mode rests on clusters or registries that could not be asked; always false in a real run.
  returned: success
  type: bool
pending:
  description:
    - What has to wait (target, change, reason, remedy) - missing service accounts, or with O(unreachable=pending) clusters and
      profiles.
  returned: unless options are refused
  type: list
  elements: dict
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.ecr_pull_secret.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
