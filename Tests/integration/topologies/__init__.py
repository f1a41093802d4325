# SPDX-License-Identifier: Apache-2.0
"""Networks that integration tests measure: created, and torn down again, by themselves."""
