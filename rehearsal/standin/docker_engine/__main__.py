# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m rehearsal.standin.docker_engine`."""

import sys

from rehearsal.standin.docker_engine import main

sys.exit(main())
