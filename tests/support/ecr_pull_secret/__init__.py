# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of pull secrets share: one scenario, and proxies before the API server and ECR."""
