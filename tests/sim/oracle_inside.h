/* What the files of the oracle share: oracle.c judges each response and record; oracle_h2.c judges HTTP/2 streams. */
#ifndef SIM_ORACLE_INSIDE_H
#define SIM_ORACLE_INSIDE_H

#include "oracle.h"
#include "predict.h"

void judge_answer(struct world *world, const struct sim_conn *conn, unsigned request, const struct expect *expect);
void judge_record(struct world *world, const struct sim_conn *conn, unsigned request, const struct expect *expect);

/* Judges a whole HTTP/2 connection. Sorts its records into the order of its requests. */
void judge_http2(struct world *world, struct sim_conn *conn);

#endif
