#include "app/interaction/interaction.h"
#include "app/outreach/guard.h"
#include "http/route.h"

extern const struct resource contact_check_resource;

struct question {
    int method;
    struct str subject, body;
};
static const struct field question_fields[] = {
    FIELD(question, method, F_ENUM, REQUIRED, .names = &interaction_type_words,
          .doc = "By which method the customer is to be contacted"),
    FIELD(question, subject, F_TEXT, ONE_LINE, .min = 0, .max = INTERACTION_SUBJECT_MAX,
          .doc = "Of the message: how alike earlier ones are is told"),
    FIELD(question, body, F_TEXT, 0, .min = 0, .max = INTERACTION_DESCRIPTION_MAX,
          .doc = "The same; its beginning is enough"),
};
static const struct record question_record =
    RECORD_NAMED("ContactCheckQuery", question, question_fields);

static enum err check(struct req *rq)
{
    const struct question *question = rq->query;
    struct outreach_check answer = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(outreach_ask(&rq->cx, id, question->method, question->subject, question->body, &answer));
    return reply_record(rq, &outreach_check_record, &answer);
}

static const struct route routes[] = {
    {HTTP_GET, "/{id}/contact-check", ROLE_AGENT, TX_READ, check,
     "Check whether a customer may be contacted by a method now, and what speaks against it",
     .answers = ANSWER_RECORD, .answer = &outreach_check_record, .query = &question_record},
};

/* One record, three names (SPEC.md §1). */
static const char *const mounts[] = {"/customers", "/contacts", "/leads"};

const struct resource contact_check_resource = {"Outreach", mounts, COUNT_OF(mounts), routes,
                                                COUNT_OF(routes)};
