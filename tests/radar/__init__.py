# SPDX-License-Identifier: GPL-3.0-or-later
"""The radar: the contract of colima and the life of a profile on real releases, in what they differ, and what our code does then.

`make radar` builds each release, runs the tests on it, and writes results.json and docs/supported-versions.md. Not part of CI.
"""
