# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker context ...`: same store, words, channels and exit codes as docker 28's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from .config import DEFAULT_CONTEXT, Client, validate_name
from .endpoints import read_endpoint
from .flags import Command, Exit
from .template import Struct, Template, TemplateError, dumps, listing

LS_FORMAT = "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}"
LS_HEADERS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "DockerEndpoint": "DOCKER ENDPOINT",
    "Error": "ERROR",
}
DEFAULT_DESCRIPTION = "Current DOCKER_HOST based configuration"
ERROR_WIDTH = 45
USAGE = """Usage:  docker context COMMAND

Manage contexts

Commands:
  create      Create a context
  export      Export a context to a tar archive FILE or a tar stream on STDOUT.
  import      Import a context from a tar or zip file
  inspect     Display detailed information on one or more contexts
  ls          List contexts
  rm          Remove one or more contexts
  show        Print the name of the current context
  update      Update a context
  use         Set the current docker context

Run 'docker context COMMAND --help' for more information on a command.
"""


def run(client: Client, argv: list[str]) -> None:
    """Run one `docker context` command."""
    if not argv or argv[0] in ("--help", "-h", "help"):
        (sys.stdout if argv else sys.stderr).write(USAGE)
        return
    verb = {"list": "ls", "remove": "rm"}.get(argv[0], argv[0])
    if verb not in COMMANDS:
        raise Command("docker context").usage(f"docker: unknown command: docker context {argv[0]}", 1)
    command, function = COMMANDS[verb]
    options, args = command.parse(argv[1:])
    if options.get("help"):
        sys.stdout.write(f"Usage:  {command.path} {command.use}\n")
        return
    command.check_count(args)
    function(client, options, args)


def _description(context: dict[str, Any]) -> str:
    if context["Name"] == DEFAULT_CONTEXT:
        return DEFAULT_DESCRIPTION
    return str(context["Metadata"].get("Description", ""))


def _ls(client: Client, options: dict[str, Any], _args: list[str]) -> None:
    current = client.current
    rows = [
        _row(context["Name"], context["Name"] == current, _description(context), context["Endpoints"])
        for context in client.store.all()
    ]
    if all(row["Name"] != current for row in rows):
        try:
            client.store.get(current)
        except Exit as error:
            rows.append(_row(current, True, "", {"docker": {}}, error.text.strip()))
        from .config import natural

        rows.sort(key=lambda row: natural(row["Name"]))
    template = "{{.Name}}" if options.get("quiet") else str(options.get("format") or "")
    try:
        sys.stdout.write(listing(template, rows, LS_HEADERS, LS_FORMAT))
    except TemplateError as error:
        raise Exit(f"{error}\n") from error
    if os.environ.get("DOCKER_HOST"):
        _warn_override("a context")


def _row(name: str, current: bool, description: str, endpoints: dict[str, Any], error: str = "") -> Struct:
    if "docker" not in endpoints:
        error = "cannot find docker endpoint in context"
    if len(error) > ERROR_WIDTH:
        error = error[: ERROR_WIDTH - 1] + "…"
    fields = {
        "Current": current,
        "Description": description,
        "DockerEndpoint": endpoints.get("docker", {}).get("Host", ""),
        "Error": error,
        "Name": name,
    }
    return Struct("*formatter.clientContextContext", fields)


def _warn_override(what: str) -> None:
    sys.stderr.write(
        "Warning: DOCKER_HOST environment variable overrides the active context. "
        f"To use {what}, either set the global --context flag, or unset DOCKER_HOST environment variable.\n"
    )


def _show(client: Client, _options: dict[str, Any], _args: list[str]) -> None:
    sys.stdout.write(f"{client.current}\n")


def _inspect(client: Client, options: dict[str, Any], args: list[str]) -> None:
    template = str(options.get("format") or "")
    errors: list[str] = []
    try:
        parsed = Template(template) if template not in ("", "json") else None
    except TemplateError as error:
        raise Exit(f"template parsing error: {error}\n", 64) from error
    found: list[Struct] = []
    for name in args or [client.current]:
        try:
            found.append(_inspected(client, name))
        except Exit as error:
            errors.append(error.text)
    if parsed:
        text = ""
        for item in found:
            try:
                text += parsed.run(item) + "\n"
            except TemplateError as error:
                errors.append(f"template parsing error: {error}\n")
        sys.stdout.write(text or "\n")
    elif template == "json" or not found:
        sys.stdout.write(dumps(found) + "\n")
    else:
        sys.stdout.write(dumps(found, indent="    ") + "\n")
    if errors:
        raise Exit("".join(errors))


def _inspected(client: Client, name: str) -> Struct:
    context = client.store.get(name)
    memory = name == DEFAULT_CONTEXT
    endpoints = {
        key: Struct("context.EndpointMetaBase", value, {"Host": value.get("Host", "")})
        for key, value in context["Endpoints"].items()
    }
    storage = {
        "MetadataPath": "<IN MEMORY>" if memory else str(client.store.meta_dir(name)),
        "TLSPath": "<IN MEMORY>" if memory else str(client.store.tls_dir(name)),
    }
    metadata = {"Name": name, "Metadata": context["Metadata"], "Endpoints": endpoints}
    fields = {
        **metadata,
        "TLSMaterial": {} if memory else client.store.tls_files(name),
        "Storage": Struct("store.StorageInfo", storage),
    }
    # The field Metadata of the real struct is an embedded one of the same name, which a template sees instead.
    return Struct("context.contextWithTLSListing", fields, {"Metadata": Struct("store.Metadata", metadata)})


def _create(client: Client, options: dict[str, Any], args: list[str]) -> None:
    name = args[0]
    validate_name(name)
    if client.store.exists(name):
        raise Exit(f'context "{name}" already exists\n')
    docker = options.get("docker")
    source = str(options.get("from") or "")
    if source or docker is None:
        if docker:
            raise Exit("cannot use --docker flag when --from is set\n")
        source = source or client.current
        copied = client.store.get(source)
        metadata = {"Description": _description(copied)} if _description(copied) else {}
        endpoints, tls = copied["Endpoints"], {} if source == DEFAULT_CONTEXT else client.store.read_tls(source)
    else:
        metadata = {}
        endpoint, tls = read_endpoint(client.store, docker)
        endpoints = {"docker": endpoint}
    if options.get("description"):
        metadata = {**metadata, "Description": options["description"]}
    client.store.save({"Name": name, "Metadata": metadata, "Endpoints": endpoints})
    client.store.reset_tls(name, tls)
    sys.stdout.write(f"{name}\n")
    sys.stderr.write(f'Successfully created context "{name}"\n')


def _update(client: Client, options: dict[str, Any], args: list[str]) -> None:
    name = args[0]
    validate_name(name)
    context = client.store.get(name)
    if options.get("description"):
        context["Metadata"]["Description"] = options["description"]
    if options.get("docker") is not None:
        endpoint, tls = read_endpoint(client.store, options["docker"])
        context["Endpoints"]["docker"] = endpoint
        client.store.save(context)
        client.store.reset_tls(name, tls)
    else:
        client.store.save(context)
    sys.stdout.write(f"{name}\n")
    sys.stderr.write(f'Successfully updated context "{name}"\n')


def _use(client: Client, _options: dict[str, Any], args: list[str]) -> None:
    name = args[0]
    wanted = ""
    if name != DEFAULT_CONTEXT:
        client.store.get(name)
        wanted = name
    if client.config.current_context != wanted:
        client.config.set_current_context(wanted)
    sys.stdout.write(f"{name}\n")
    sys.stderr.write(f'Current context is now "{name}"\n')
    if wanted and os.environ.get("DOCKER_HOST"):
        _warn_override(f'"{name}"')


def _rm(client: Client, options: dict[str, Any], args: list[str]) -> None:
    errors = []
    current = client.current
    for name in args:
        try:
            _remove(client, name, name == current, bool(options.get("force")))
            sys.stdout.write(f"{name}\n")
        except Exit as error:
            errors.append(error.text)
    if errors:
        raise Exit("".join(errors))


def _remove(client: Client, name: str, is_current: bool, force: bool) -> None:
    if name == DEFAULT_CONTEXT:
        raise Exit('context "default" cannot be removed\n')
    if is_current and not force:
        raise Exit(f'context "{name}" is in use, set -f flag to force remove\n')
    if is_current:
        # Falls back to default, whatever was current before.
        client.config.set_current_context("")
    if not force and not client.store.meta_dir(name).exists():
        raise Exit(f'context "{name}" does not exist\n')
    _force_remove(client, name)


def _force_remove(client: Client, name: str) -> None:
    import shutil

    for directory in (client.store.meta_dir(name), client.store.tls_dir(name)):
        shutil.rmtree(directory, ignore_errors=True)


def _export(client: Client, _options: dict[str, Any], args: list[str]) -> None:
    from .archive import pack

    name = args[0]
    destination = args[1] if len(args) > 1 else f"{name}.dockercontext"
    context = client.store.get(name)
    content = pack(context, {} if name == DEFAULT_CONTEXT else client.store.read_tls(name))
    if destination == "-":
        sys.stdout.buffer.write(content)
        return
    path = Path(destination)
    if path.exists():
        raise Exit(f"open {destination}: file exists\n")
    path.touch(mode=0o600)
    path.write_bytes(content)
    sys.stderr.write(f'Written file "{destination}"\n')


def _import(client: Client, _options: dict[str, Any], args: list[str]) -> None:
    from .archive import unpack

    name, source = args
    validate_name(name)
    if client.store.exists(name):
        raise Exit(f'context "{name}" already exists\n')
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise Exit(f"open {source}: {(error.strerror or '').lower()}\n") from error
    context, tls = unpack(content)
    client.store.save({**context, "Name": name})
    client.store.reset_tls(name, tls)
    sys.stdout.write(f"{name}\n")
    sys.stderr.write(f'Successfully imported context "{name}"\n')


FORMAT = {"format": "string"}
ENDPOINT = {"description": "string", "docker": "map"}
COMMANDS: dict[str, tuple[Command, Any]] = {
    "create": (Command("docker context create", "[OPTIONS] CONTEXT", {**ENDPOINT, "from": "string"}, args=(1, 1)), _create),
    "export": (Command("docker context export", "[OPTIONS] CONTEXT [FILE|-]", args=(1, 2)), _export),
    "import": (Command("docker context import", "CONTEXT FILE|-", args=(2, 2)), _import),
    "inspect": (
        Command("docker context inspect", "[OPTIONS] [CONTEXT] [CONTEXT...]", FORMAT, {"f": "format"}),
        _inspect,
    ),
    "ls": (Command("docker context ls", "[OPTIONS]", {**FORMAT, "quiet": "bool"}, {"q": "quiet"}, (0, 0)), _ls),
    "rm": (Command("docker context rm", "CONTEXT [CONTEXT...]", {"force": "bool"}, {"f": "force"}, (1, None)), _rm),
    "show": (Command("docker context show", args=(0, 0)), _show),
    "update": (Command("docker context update", "[OPTIONS] CONTEXT", ENDPOINT, args=(1, 1)), _update),
    "use": (Command("docker context use", "CONTEXT", args=(1, 1), plain_count=True), _use),
}
