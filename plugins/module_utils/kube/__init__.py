# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster's API through the user's kubeconfig. Knows nothing of what the objects are for."""
