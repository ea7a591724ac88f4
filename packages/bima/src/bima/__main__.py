# SPDX-License-Identifier: Apache-2.0
"""`python -m bima`"""

from bima.cli import main

main()
