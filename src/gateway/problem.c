#include "gateway/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/problem_page.h"
#include "gateway/problem_words.h"
#include "gateway/text.h"
#include "http/response.h"

#define RETRY_AFTER_S 10 /* spool space becomes free as soon as another ask ends */

unsigned gw_problem_status(enum thaw_verdict verdict, enum thaw_reason reason)
{
	if (verdict == THAW_VERDICT_TIMED_OUT)
		return 408;
	if (verdict != THAW_VERDICT_OVER_LIMIT)
		return 403;
	if (reason == THAW_REASON_BODY_SIZE)
		return 413;
	return reason == THAW_REASON_PIPELINED ? 400 : 503;
}

/* Does not take ownership of any string. NULL: out of memory. */
static char *as_json(const struct gw_problem_facts *facts, const char *cure, size_t *len)
{
	char type[64];

	(void)snprintf(type, sizeof(type), "urn:thaw:problem:%s", facts->reason);
	json_t *problem = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s*}", "type", type, "title",
				    http_status_phrase(facts->status), "status", (int)facts->status, "detail",
				    facts->detail, "reason", facts->reason, "cure", cure, "request_id",
				    facts->asker->id, "location", facts->location);
	char *text = problem != NULL ? gw_text_dump(problem, JSON_INDENT(2), len) : NULL;
	json_decref(problem);
	return text;
}

static bool fill(struct gw_reply *reply, const struct gw_problem_facts *facts, const char *cure)
{
	bool page = facts->asker->page;

	reply->body = page ? gw_problem_page(facts, &reply->body_len) : as_json(facts, cure, &reply->body_len);
	if (reply->body == NULL)
		return false;
	reply->status = facts->status;
	reply->content_type = page ? "text/html; charset=utf-8" : "application/problem+json";
	reply->policy = page ? GW_PAGE_POLICY : NULL;
	reply->retry_after_s = facts->status == 503 ? RETRY_AFTER_S : facts->asker->retry_s;
	return true;
}

const char *gw_problem_name(enum gw_problem problem)
{
	return gw_problem_words(problem)->name;
}

bool gw_problem_reply(enum gw_problem problem, const struct http_refusal *refusal, const struct gw_asker *asker,
		      struct gw_reply *reply)
{
	const struct gw_problem_words *words = gw_problem_words(problem);
	bool parser = problem == GW_PROBLEM_MALFORMED;
	struct gw_problem_facts facts = {
		.asker = asker,
		.status = parser ? refusal->status : words->status,
		.reason = words->name,
		.heading = words->heading,
		.detail = parser ? refusal->why : words->detail,
		.steps = words->steps,
	};

	*reply = (struct gw_reply){0};
	return fill(reply, &facts, parser && refusal->cure != NULL ? refusal->cure : words->cure);
}

void gw_problem_grpc(enum gw_problem problem, struct gw_reply *reply)
{
	*reply = (struct gw_reply){
		.status = 200, .content_type = "application/grpc", .grpc = gw_problem_words(problem)->detail};
}

bool gw_problem_with_link(enum gw_problem problem, const char *link, const struct gw_asker *asker,
			  struct gw_reply *reply)
{
	const struct gw_problem_words *words = gw_problem_words(problem);
	struct gw_problem_facts facts = {
		.asker = asker,
		.status = words->status,
		.reason = words->name,
		.heading = words->heading,
		.detail = words->detail,
		.steps = words->steps,
		.location = link,
	};

	*reply = (struct gw_reply){0};
	return fill(reply, &facts, words->cure);
}

/* The request's target at another origin; the caller frees it. NULL: out of memory. */
static char *join(const char *elsewhere, struct http_span target)
{
	size_t room = strlen(elsewhere) + target.len + 1;
	char *location = malloc(room);

	if (location != NULL)
		(void)snprintf(location, room, "%s%.*s", elsewhere, (int)target.len, target.at);
	return location;
}

bool gw_problem_verdict(const struct gw_refused *refused, const struct gw_asker *asker, struct gw_reply *reply)
{
	const struct gw_problem_words *words = gw_reason_words(refused->reason);
	bool moved = refused->verdict == THAW_VERDICT_IMPOSSIBLE && refused->elsewhere != NULL;
	char text[512];
	struct gw_problem_facts facts = {
		.asker = asker,
		.status = moved ? 307 : gw_problem_status(refused->verdict, refused->reason),
		.reason = thaw_reason_name(refused->reason),
		.heading = words->heading,
		.detail = text,
		.steps = words->steps,
	};

	*reply = (struct gw_reply){0};
	if (refused->detail[0] != '\0')
		(void)snprintf(text, sizeof(text), "%s: %s.", words->detail, refused->detail);
	else
		(void)snprintf(text, sizeof(text), "%s", words->detail);
	if (moved)
		facts.location = reply->location = join(refused->elsewhere, refused->target);
	if ((!moved || reply->location != NULL) && fill(reply, &facts, words->cure))
		return true;
	gw_reply_free(reply);
	return false;
}
