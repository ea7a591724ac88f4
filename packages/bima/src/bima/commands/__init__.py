# SPDX-License-Identifier: Apache-2.0
"""One module per verb, with a click command called `command`; `bima.cli` lists them."""
