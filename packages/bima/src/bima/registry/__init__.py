# SPDX-License-Identifier: Apache-2.0
"""How images get to a registry: `push.push` is the way in."""
