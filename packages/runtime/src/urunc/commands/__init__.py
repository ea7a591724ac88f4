# SPDX-License-Identifier: Apache-2.0
"""One verb, one module, one `run(settings, options)`."""
