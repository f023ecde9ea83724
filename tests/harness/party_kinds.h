/* Between the kinds of parties and what they have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_PARTY_KINDS_H
#define KRI_HARNESS_PARTY_KINDS_H

#include "harness/party.h"

/* party_next_member - the one after `last`, of all bunches that are not joined; NULL begins. */
party_member *party_next_member(party_member *last);

/* party_words_of - the words on which a thread sleeps, of this process or another: their number. */
enum { PARTY_MOST_WORDS = 8 };
int party_words_of(int id, uint64_t words[PARTY_MOST_WORDS]);

#endif
