# SPDX-License-Identifier: Apache-2.0
"""Everything that touches the kernel.  Facts are found here and plans are applied; nothing is decided."""
