# SPDX-License-Identifier: Apache-2.0
"""Packages unikernels as OCI images."""

__version__ = "0.1.0"
