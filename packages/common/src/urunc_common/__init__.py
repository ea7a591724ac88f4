# SPDX-License-Identifier: Apache-2.0
"""What bima writes and the runtime reads.  No dependencies, no I/O."""
