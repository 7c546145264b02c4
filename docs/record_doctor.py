# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes docs/pictures/doctor-*.png: the doctor's page of a rehearsed healthy laptop, and of a broken one.

`make docs` runs it as a part of record.py. Chromium takes the pictures, without a window.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rehearsal.engines import ROOT
from rehearsal.lab.laptop import Lab
from rehearsal.processes.system import LabError

PICTURES = ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "Google Chrome")
# What this machine's own network needs is not the rehearsed laptop's.
FOREIGN = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
# What a person may do on an ordinary day.
MISHAPS = (
    ("colima", "stop", "k8s"),
    ("docker", "context", "use", "default"),
    ("docker", "buildx", "rm", "--force", "multi-platform"),
)
# Width and height in pixels of the page.
SIZES = {"well": (1000, 560), "broken": (1000, 860)}


def take(lab: Lab) -> list[Path]:
    """Take the pictures of a lab that is converged, which is broken afterwards. Returns none without a browser."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("No Chromium is installed, so the pictures of the doctor's page stay as they are.", file=sys.stderr)
        return []
    taken = [_picture(lab, browser, "well")]
    environment = {**os.environ, **lab.environment}
    for program, *arguments in MISHAPS:
        path = shutil.which(program, path=environment["PATH"])
        if path is None:
            raise LabError(f"{program} is not in the lab.")
        subprocess.run([path, *arguments], env=environment, check=True, capture_output=True)
    (lab.home / ".zshrc").write_text("export DOCKER_HOST=unix:///var/run/docker.sock\n")
    return [*taken, _picture(lab, browser, "broken")]


def _picture(lab: Lab, browser: str, name: str) -> Path:
    """Examine the lab and take a picture of the page, in which the laptop has an ordinary name."""
    around = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    environment = {**around, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LAPTOP_REHEARSAL_DIR": str(lab.directory)}
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory/rehearsal", "playbooks/doctor.yml"]
        subprocess.run([*command, "-e", f"doctor_report={page}"], cwd=ROOT, env=environment, check=False, capture_output=True)
        text = page.read_text().replace("-i inventory/rehearsal ", "").replace("rehearsal", "ada-macbook")
        page.write_text(text.replace(str(lab.home), "~"))
        picture = PICTURES / f"doctor-{name}.png"
        width, height = SIZES[name]
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/browser"]
        size = [f"--window-size={width},{height}", f"--screenshot={picture}"]
        subprocess.run([browser, *flags, *size, page.as_uri()], check=True, capture_output=True, timeout=120)
    return picture
