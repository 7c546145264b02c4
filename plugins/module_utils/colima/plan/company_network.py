# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's network as settings of a profile: a script that runs at each start, variables, name servers, mirrors. Pure.

What a setting of colima carries is that setting; the rest is one script. Its first line notes what was laid into the settings, so
that it can be taken out again, and what a user has written beside it stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ...company.network import GATEWAY, CompanyNetwork, Mirror, buildkit_registries
from ...company.no_proxy import no_proxy_of_guest
from ..model.config import Config, has_kubernetes
from ..model.ecr_credentials import ARGUMENTS, SCRIPTS

_OURS = "# laptop.containers: company network "
_ENV, _DNS, _DOCKER = "env", "network.dns", "docker"
_DOCKER_HUB = "docker.io"
_INSECURE = "insecure-registries"
_AUTHORITIES = "/usr/local/share/ca-certificates/laptop.containers"
_MIRRORS = "/etc/containerd/certs.d"
_UNITS = ("containerd", "buildkit", "k3s")

# Runs as root at each start, before colima starts containerd, docker and k3s. A foreign file stays as it is. What is to
# change is noted first: a start that is cut off, or finds no room, is made good by the next one.
_BEGIN = r"""set -u
mark='# laptop.containers'
list=/etc/laptop.containers/files
put() {
  content=$(cat)
  mkdir -p "${1%/*}"
  case $1 in
    /usr/local/share/ca-certificates/laptop.containers/*) ;;
    *)
      if [ -e "$1" ] && ! grep -qF "$mark" "$1"; then
        echo "laptop.containers: $1 is somebody else's, and stays" >&2
        return
      fi
      content="$mark
$content"
      ;;
  esac
  # What is not on the new list is removed below, so a list that can't be written whole ends this.
  echo "$1" >>"$list.new" || exit 0
  if [ "$(cat "$1" 2>/dev/null)" != "$content" ]; then
    echo "$1" >>"$list.changed" && printf '%s\n' "$content" >"$list.part" && mv "$list.part" "$1"
  fi
}
mkdir -p "${list%/*}"
: >"$list.new"
touch "$list"
"""
_END = r"""while read -r file; do
  if ! grep -qxF "$file" "$list.new"; then
    echo "$file" >>"$list.changed" || exit 0
    case $file in
      /usr/local/share/ca-certificates/laptop.containers/*) rm -f "$file" ;;
      *) if grep -qF "$mark" "$file" 2>/dev/null; then rm -f "$file"; fi ;;
    esac
  fi
done <"$list"
mv "$list.new" "$list"
changed=$(cat "$list.changed" 2>/dev/null)
case $changed in
  */ca-certificates/*)
    if ! update-ca-certificates --fresh >/dev/null; then
      echo "laptop.containers: no authority was added" >&2
      exit 0
    fi
    ;;
esac
case $changed in
  *.service.d/*) systemctl daemon-reload ;;
esac
# colima restarts the others itself.
if [ -n "$changed" ]; then systemctl try-restart buildkit.service || true; fi
rm -f "$list.changed"
exit 0
"""


# colima writes both configurations again at each start, and then starts the service: this runs in between.
_USE_MIRRORS = r"""
config=$1
grep -q '^# laptop.containers: mirrors' "$config" && exit 0
case $config in
  */containerd/*)
    grep -qE 'config_path|\.registry' "$config" && exit 0
    case $(sed -n 's/^ *version *= *//p' "$config") in
      3) table="plugins.'io.containerd.cri.v1.images'.registry" ;;
      2) table="plugins.'io.containerd.grpc.v1.cri'.registry" ;;
      *) table=plugins.cri.registry ;;
    esac
    printf '\n# laptop.containers: mirrors\n[%s]\nconfig_path = "/etc/containerd/certs.d"\n' "$table" >>"$config"
    ;;
  # BuildKit does not start with two tables of one name.
  *)
    grep -q '^ *\[registry' "$config" && exit 0
    { printf '\n# laptop.containers: mirrors\n'; cat /etc/laptop.containers/buildkit-mirrors.toml; } >>"$config"
    ;;
esac
"""


def company_settings(company: CompanyNetwork, stated: Mapping[str, Any], known: Config, instance: str) -> dict[str, Any]:
    """Return the settings with a company's network. An empty one takes out what an earlier run has laid in.

    stated: what the profile itself is asked to have, which goes before. known: all settings as they are.
    """
    noted = _noted_in(known[SCRIPTS])
    known = {**known, **stated}
    if not company and noted is None:
        return {}
    base = _without(known, noted or {}, stated)
    gateway, arguments = known["network.gateway_address"] or GATEWAY, known[ARGUMENTS] if has_kubernetes(known) else None
    company = company.seen_from(gateway, list(no_proxy_of_guest(known["hostname"] or instance, gateway, arguments)))
    laid = _company_settings(company, base)
    script = {"mode": "system", "script": _script(_files(company, known["runtime"]), laid)}
    settings = {
        _ENV: {**base[_ENV], **laid.get(_ENV, {})},
        _DNS: laid.get(_DNS, base[_DNS]),
        _DOCKER: _docker_with(base[_DOCKER], laid.get(_DOCKER, {})),
    }
    changed = {option: value for option, value in settings.items() if value != known[option] or option in laid}
    return {**changed, SCRIPTS: [*base[SCRIPTS], script]}


def _without(known: Config, noted: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without what a run of before has laid in."""
    ours = {option: value for option, value in noted.items() if option not in stated}
    return {
        "runtime": known["runtime"],
        SCRIPTS: [script for script in known[SCRIPTS] if _noted(script["script"]) is None],
        _DNS: [] if known[_DNS] == ours.get(_DNS) else known[_DNS],
        _ENV: _other_than(known[_ENV], ours.get(_ENV, {})),
        _DOCKER: _docker_without(known[_DOCKER], ours.get(_DOCKER, {})),
    }


def _other_than(known: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in known.items() if key not in ours or ours[key] != value}


def _docker_with(own: Mapping[str, Any], laid: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of docker with those laid in. Its list of insecure registries is joined, not replaced."""
    joined = {_INSECURE: [*own.get(_INSECURE, ()), *laid[_INSECURE]]} if _INSECURE in laid else {}
    return {**own, **laid, **joined}


def _docker_without(known: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of docker without those laid in, and the user's insecure registries without our hosts."""
    own = _other_than(known, ours)
    hosts, added = own.get(_INSECURE), ours.get(_INSECURE)
    if isinstance(hosts, list) and isinstance(added, list):
        own[_INSECURE] = [host for host in hosts if host not in added]
    return own


def _company_settings(company: CompanyNetwork, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is laid into the settings, where a user's own leave room. base: those, with the runtime."""
    docker = base[_DOCKER]
    mirrors = company.mirrors if base["runtime"] == "docker" and "registry-mirrors" not in docker else ()
    added = {
        _ENV: {name: value for name, value in company.proxy.variables().items() if name not in base[_ENV]},
        _DNS: [] if base[_DNS] else list(company.dns_servers),
        _DOCKER: _docker_mirrors(mirrors, docker.get(_INSECURE, [])),
    }
    return {option: value for option, value in added.items() if value}


def _noted_in(scripts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what our script notes to have been laid into the settings; None without such a script."""
    return next((noted for script in scripts if (noted := _noted(script["script"])) is not None), None)


def _noted(script: str) -> dict[str, Any] | None:
    line = next((line for line in script.splitlines()[:2] if line.startswith(_OURS)), None)
    if line is None:
        return None
    try:
        noted = json.loads(line.removeprefix(_OURS))
    except ValueError:
        return {}
    kinds = {_ENV: dict, _DNS: list, _DOCKER: dict}
    return {
        option: noted[option] for option, kind in kinds.items() if isinstance(noted, dict) and isinstance(noted.get(option), kind)
    }


def _docker_mirrors(mirrors: Iterable[Mirror], insecure: object) -> dict[str, Any]:
    """Return what docker's daemon.json can say of mirrors: it has them for Docker Hub alone.

    With its images in containerd's store, docker asks a plain one with TLS, unless its host is named as insecure.
    insecure: the profile's own such hosts.
    """
    of_hub = [mirror for mirror in mirrors if mirror.registry == _DOCKER_HUB]
    plain = [host for host, table in buildkit_registries(of_hub).items() if table.get("http")]
    added = [host for host in plain if host not in insecure] if isinstance(insecure, list) else []
    lists = {"registry-mirrors": [mirror.url for mirror in of_hub], _INSECURE: added}
    return {key: values for key, values in lists.items() if values}


def _script(files: Mapping[str, str], laid: Mapping[str, Any]) -> str:
    """Return the script that puts files into a guest. laid: what it notes to be in other settings."""
    puts = [f"put {path} <<'END'\n{content.strip()}\nEND\n" for path, content in sorted(files.items())]
    return "".join(("#!/bin/sh\n", _OURS, json.dumps(laid, sort_keys=True), "\n", _BEGIN, *puts, _END))


def _files(company: CompanyNetwork, runtime: str) -> dict[str, str]:
    """Return the files of the guest with their contents."""
    files = {f"{_AUTHORITIES}/{one.fingerprint[:16]}.crt": one.pem for one in company.authorities}
    if company.proxy:
        lines = "\n".join(f'Environment="{name}={value}"' for name, value in company.proxy.variables().items())
        files |= {f"/etc/systemd/system/{unit}.service.d/laptop.containers.conf": f"[Service]\n{lines}" for unit in _UNITS}
    if company.dns_domains:
        servers = [f"server=/{domain}/{address}" for domain, found in sorted(company.dns_domains.items()) for address in found]
        files["/etc/dnsmasq.d/50-laptop.containers.conf"] = "\n".join(servers)
    if company.mirrors and runtime == "containerd":
        files |= {f"{_MIRRORS}/{mirror.registry}/hosts.toml": _hosts_toml(mirror) for mirror in company.mirrors}
        files["/etc/laptop.containers/use-mirrors"] = _USE_MIRRORS
        files["/etc/laptop.containers/buildkit-mirrors.toml"] = _buildkit_toml(company.mirrors)
        for unit, config in (("containerd", "containerd/config.toml"), ("buildkit", "buildkit/buildkitd.toml")):
            line = f"ExecStartPre=-/bin/sh /etc/laptop.containers/use-mirrors /etc/{config}"
            files[f"/etc/systemd/system/{unit}.service.d/laptop.containers-mirrors.conf"] = f"[Service]\n{line}"
    return files


def _buildkit_toml(mirrors: Sequence[Mirror]) -> str:
    lines = []
    for host, table in buildkit_registries(mirrors).items():
        # JSON writes a list of texts, and a truth value, as TOML does.
        lines += [f'[registry."{host}"]', *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines)


def _hosts_toml(mirror: Mirror) -> str:
    """Return containerd's file for a registry; see https://github.com/containerd/containerd/blob/main/docs/hosts.md."""
    parts = urlsplit(mirror.url)
    server = "registry-1.docker.io" if mirror.registry == _DOCKER_HUB else mirror.registry
    lines = [f'server = "https://{server}"', "", f'[host."{mirror.url}"]', '  capabilities = ["pull", "resolve"]']
    if path := parts.path.strip("/"):
        # Of a mirror that has the images of a registry below a path, as Harbor and ECR's pull-through cache do.
        lines[2] = f'[host."{parts.scheme}://{parts.netloc}/{path if path.startswith("v2") else f"v2/{path}"}"]'
        lines.append("  override_path = true")
    return "\n".join(lines)
