# SPDX-License-Identifier: Apache-2.0
"""An OCI runtime that boots unikernels."""

__version__ = "0.1.0"
