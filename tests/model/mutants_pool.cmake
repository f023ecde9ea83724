# Seeded bugs of the thread pool and of groups.
#
# SPDX-License-Identifier: MIT

krait_mutant(pool_failed_start_keeps_search executor/idle.c
  executor/pool_start_refused_while_others_submit
  "        kri_store_sc(&pool->searching, 0); /* [pool-1] */
    }
    kri_pool_hold_drop(pool);"
  "    }
    kri_pool_hold_drop(pool);")
krait_mutant(pool_idle_is_not_called executor/pool.c executor/pool_two_submitters
  "    if (!err)
        kri_pool_notify(pool);" "")
krait_mutant(pool_worker_call_dropped executor/idle.c pool/pool_two_tasks_one_after_the_other
  "    kri_wake(&worker->called, 1, 0);" "")
