# Seeded bugs of events and semaphores in shared memory, and of barriers.
#
# SPDX-License-Identifier: MIT

