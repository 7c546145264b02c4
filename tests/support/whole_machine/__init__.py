# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a whole machine has and a test needs beside it: an ssh server, the service manager of a user."""
