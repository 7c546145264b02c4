# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m rehearsal.standin.kube_api`."""

import sys

from rehearsal.standin.kube_api import main

sys.exit(main())
