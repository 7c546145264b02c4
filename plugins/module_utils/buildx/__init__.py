# SPDX-License-Identifier: GPL-3.0-or-later
"""buildx builders as state. Reads buildx's own files; writes through `docker buildx` only."""
