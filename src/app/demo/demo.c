#include "app/demo/demo.h"

#include "app/company/company.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/session/session.h"
#include "app/tenant/tenant.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"
#include "json/json.h"

#include <stdio.h>

#define CUSTOMER_COUNT 60
#define INTERACTION_COUNT 420
#define PAST_DAYS 90
#define DEMO_MEMORY_MAX MIB(256)

static const struct {
    const char *name, *email;
    int role;
} team[] = {
    {"Ada Brandt", "ada@demo.example", USER_ADMIN},
    {"Bob Okafor", "bob@demo.example", USER_MANAGER},
    {"Chiara Rossi", "chiara@demo.example", USER_AGENT},
    {"Dmitri Lebedev", "dmitri@demo.example", USER_AGENT},
    {"Emily Thompson", "emily@demo.example", USER_AGENT},
};

static const struct {
    const char *name, *industry, *domain;
} firms[] = {
    {"Northwind Heating", "Construction", "northwind.example"},
    {"Lumen Optics", "Manufacturing", "lumen.example"},
    {"Harbour Logistics", "Transport", "harbour.example"},
    {"Grünwald Apotheken", "Health", "gruenwald.example"},
    {"Kestrel Software", "Software", "kestrel.example"},
    {"María Bakeries", "Food", "mariabakeries.example"},
    {"Sakura Travel", "Tourism", "sakura.example"},
    {"Old Mill Hotels", "Tourism", "oldmill.example"},
};

static const char *const first_names[] = {
    "Amelia", "Noah", "Zoë", "Liam",  "Ines",  "Mateo", "Freya",  "Omar",  "Priya", "Jonas",
    "Leila",  "Hugo", "Mei", "André", "Sofia", "Kwame", "Anneli", "Tomás", "Yuki",  "Björn"};
static const char *const last_names[] = {
    "Keller", "Nakamura", "Silva",  "O'Brien", "Haddad",   "Novak", "Larsen", "Moreau", "Mensah",
    "Petrov", "Müller",   "García", "Iyer",    "Kowalski", "Chen",  "Dubois", "Abebe"};

static const char *const tags[] = {"vip", "newsletter", "trial", "referral", "renewal"};

/* What was talked about, by type; the notes are what a person would write between calls. */
static const struct {
    int type;
    const char *channel, *subject, *notes;
} topics[] = {
    {TYPE_CALL, "phone", "Follow-up call about the product demo",
     "Liked the reporting. Wants to know whether it runs beside their own system."},
    {TYPE_CALL, "phone", "Furnace not heating",
     "Third call this week. Technician is booked; promised a call back with the time."},
    {TYPE_CALL, "phone", "Renewal in spring", "Happy so far, but will compare prices."},
    {TYPE_EMAIL, "smtp", "Quote for twelve seats", "Sent the quote with yearly payment."},
    {TYPE_EMAIL, "smtp", "Your invoice", "Asked for the purchase order number on the invoice."},
    {TYPE_EMAIL, "smtp", "Quick question about your set-up", "Which version do they run?"},
    {TYPE_SMS, "twilio", "Appointment reminder", "Confirmed for tomorrow."},
    {TYPE_CHAT, "live_chat", "Cannot sign in", "The reset mail was in the spam folder. Solved."},
    {TYPE_MEETING, "office", "Kick-off", "Agreed on scope and a pilot of four weeks."},
    {TYPE_VIDEO_CALL, "meet", "Walk through the proposal", "Legal wants to see the contract."},
    {TYPE_IN_PERSON, "fair", "Met at the trade fair", "Exchanged cards; interested in spring."},
    {TYPE_SOCIAL_MEDIA, "linkedin", "Connection request", "Knows Bob from a former job."},
    {TYPE_PUSH, "app", "Your order has been shipped", "Order 1042."},
    {TYPE_NOTE, NULL, "Prefers to be called after five", "Works on building sites all day."},
    {TYPE_SYSTEM, NULL, "Address checked", "The post office knows this address."},
    {TYPE_OTHER, "letter", "Thank-you card", "Hand-written."},
};

struct load {
    struct arena *arena;
    struct error *error;
    struct uuid tenant_id, admin_id;
    struct uuid users[COUNT_OF(team)];
    struct customer customers[CUSTOMER_COUNT];
    struct uuid companies[COUNT_OF(firms)];
    uint32_t dice;
};

/* The same rolls each time (a linear congruential generator, Numerical Recipes' constants). */
static uint32_t roll(struct load *load, size_t sides)
{
    load->dice = load->dice * 1664525u + 1013904223u;
    return (uint32_t)((load->dice >> 8) % sides);
}

static struct str text(struct load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct str text(struct load *load, const char *format, ...)
{
    struct buf buf;
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_init(&buf, load->arena, sizeof line);
    buf_add(&buf, str_of(line));
    return buf_str(&buf);
}

static enum err load_team(struct ctx *cx, struct load *load)
{
    const struct tenant_founding founding = {.tenant = {.name = STR("Demo Heating & Co."),
                                                        .slug = STR("demo"),
                                                        .timezone = STR("Europe/Berlin")},
                                             .admin_email = str_of(team[0].email),
                                             .admin_name = str_of(team[0].name)};
    struct tenant_founded founded;

    TRY(tenant_found(cx, &founding, &founded));
    load->tenant_id = founded.tenant.id;
    load->admin_id = founded.admin.id;
    load->users[0] = founded.admin.id;
    cx->actor = (struct actor){.role = ROLE_ADMIN,
                               .tenant_id = load->tenant_id,
                               .user_id = load->admin_id,
                               .user_name = str_of(team[0].name),
                               .timezone = STR("Europe/Berlin")};
    for (size_t i = 1; i < COUNT_OF(team); i++) {
        const struct user in = {
            .email = str_of(team[i].email), .name = str_of(team[i].name), .role = team[i].role};
        struct user made;

        TRY(user_invite(cx, &in, &made));
        load->users[i] = made.id;
    }
    return OK;
}

static enum err load_companies(struct ctx *cx, struct load *load)
{
    for (size_t i = 0; i < COUNT_OF(firms); i++) {
        const struct company in = {.name = str_of(firms[i].name),
                                   .industry = str_of(firms[i].industry),
                                   .domain = str_of(firms[i].domain),
                                   .owner_id = load->users[1 + roll(load, COUNT_OF(team) - 1)]};
        struct company made;

        TRY(company_create(cx, &in, &made));
        load->companies[i] = made.id;
    }
    return OK;
}

static enum err load_customer(struct ctx *cx, struct load *load, size_t number)
{
    const char *first = first_names[number % COUNT_OF(first_names)];
    const char *last = last_names[(number * 7) % COUNT_OF(last_names)];
    struct str *tag = ARENA_NEW(load->arena, struct str);
    struct customer in = {.name = text(load, "%s %s", first, last),
                          .external_id = text(load, "demo-%02zu", number + 1),
                          .email = text(load, "customer%02zu@people.example", number + 1),
                          .phone = text(load, "+4930901820%02zu", number),
                          .owner_id = load->users[1 + roll(load, COUNT_OF(team) - 1)]};

    if (tag == NULL)
        return error_set(cx->error, ERR_TOO_LARGE, "The demo does not fit in memory.");
    if (roll(load, 3) > 0)
        in.company_id = load->companies[roll(load, COUNT_OF(firms))];
    if (roll(load, 2) == 0) {
        *tag = str_of(tags[roll(load, COUNT_OF(tags))]);
        in.tags = (struct list){tag, 1};
    }
    return customer_create(cx, &in, &load->customers[number]);
}

static int outcome_for(struct load *load, int type)
{
    static const int of_calls[] = {OUTCOME_SUCCESSFUL,    OUTCOME_SUCCESSFUL, OUTCOME_NO_ANSWER,
                                   OUTCOME_VOICEMAIL,     OUTCOME_BUSY,       OUTCOME_SCHEDULED,
                                   OUTCOME_NOT_INTERESTED};

    if (type == TYPE_CALL || type == TYPE_VIDEO_CALL)
        return of_calls[roll(load, COUNT_OF(of_calls))];
    return roll(load, 3) == 0 ? OUTCOME_SUCCESSFUL : 0;
}

static enum err load_interaction(struct ctx *cx, struct load *load, size_t number)
{
    const size_t topic = roll(load, COUNT_OF(topics));
    const size_t user = 1 + roll(load, COUNT_OF(team) - 1);
    const struct customer *customer = &load->customers[roll(load, CUSTOMER_COUNT)];
    const int type = topics[topic].type;
    /* Oldest first, in working hours. */
    const int64_t day = (int64_t)(INTERACTION_COUNT - number) * PAST_DAYS / INTERACTION_COUNT + 1;
    const int64_t midnight_us = cx->now_us / DAY_US * DAY_US - day * DAY_US;
    const int64_t start_us = midnight_us + 8 * HOUR_US + (int64_t)roll(load, 540) * MINUTE_US;
    struct participant *colleague = ARENA_NEW(load->arena, struct participant);
    struct interaction made;
    struct interaction in = {.customer_id = customer->id,
                             .company_id = customer->company_id,
                             .type = type,
                             .direction =
                                 roll(load, 10) < 7 ? DIRECTION_OUTBOUND : DIRECTION_INBOUND,
                             .channel = str_of(topics[topic].channel),
                             .outcome = outcome_for(load, type),
                             .subject = str_of(topics[topic].subject),
                             .description = str_of(topics[topic].notes),
                             .started_at = start_us};

    if (colleague == NULL)
        return error_set(cx->error, ERR_TOO_LARGE, "The demo does not fit in memory.");
    /* Two of five are answered, within hours or a few days. */
    if (in.direction == DIRECTION_OUTBOUND && number % 5 < 2 && type != TYPE_NOTE &&
        type != TYPE_SYSTEM) {
        const int64_t answered_us = start_us + (int64_t)(1 + number % 60) * HOUR_US;

        in.responded = answered_us < cx->now_us;
        if (in.responded)
            in.response_at = (struct maybe_int)SOME(answered_us);
    }
    if (type == TYPE_CALL || type == TYPE_VIDEO_CALL || type == TYPE_MEETING)
        in.ended_at =
            (struct maybe_int)SOME(start_us + (int64_t)(60 + roll(load, 2400)) * SECOND_US);
    if (type == TYPE_MEETING) {
        *colleague =
            (struct participant){.kind = PARTICIPANT_USER, .id = load->users[user == 1 ? 2 : 1]};
        in.participants = (struct list){colleague, 1};
    }
    /* The newest ones still want something done: some late, some today, some to come. */
    if (number + 40 >= INTERACTION_COUNT && roll(load, 2) == 0) {
        in.follow_up_required = true;
        if (roll(load, 8) > 0)
            in.follow_up_date = (struct maybe_int)SOME(cx->now_us / HOUR_US * HOUR_US +
                                                       ((int64_t)roll(load, 240) - 72) * HOUR_US);
        in.follow_up_notes = STR("Customer asked for pricing information");
    }
    cx->actor.user_id = load->users[user];
    cx->actor.user_name = str_of(team[user].name);
    return interaction_create(cx, &in, &made);
}

/* Two leads for the outreach guard: a mail to the first one is warned about, and one to the
 * second is blocked. */
static enum err load_outreach(struct ctx *cx, struct load *load)
{
    static const struct {
        const char *name, *email;
        int64_t hours_ago;
    } leads[] = {
        {"John Whitaker", "john.whitaker@people.example", 48},
        {"Sarah Lindqvist", "sarah.lindqvist@people.example", 2},
    };

    for (size_t i = 0; i < COUNT_OF(leads); i++) {
        const struct customer in = {.name = str_of(leads[i].name),
                                    .external_id = text(load, "demo-lead-%zu", i + 1),
                                    .email = str_of(leads[i].email),
                                    .owner_id = load->users[3]};
        struct interaction mail = {.type = TYPE_EMAIL,
                                   .direction = DIRECTION_OUTBOUND,
                                   .channel = STR("smtp"),
                                   .subject = STR("Quick question about your tech stack"),
                                   .description = text(load,
                                                       "Hi %s, I noticed that you are moving to a "
                                                       "new ticket system. May I ask what you use "
                                                       "for your customers' calls?",
                                                       leads[i].name),
                                   .started_at = cx->now_us - leads[i].hours_ago * HOUR_US};
        struct customer lead;
        struct interaction made;

        cx->actor.user_id = load->users[2];
        cx->actor.user_name = str_of(team[2].name);
        TRY(customer_create(cx, &in, &lead));
        mail.customer_id = lead.id;
        TRY(interaction_create(cx, &mail, &made));
    }
    return OK;
}

/* What the timeline shows beside interactions: what other systems told, a conversation, a
 * reminder to the customer, and a notification that the demo's admin has not read yet. */
static enum err load_events(struct ctx *cx, struct load *load)
{
    struct session talk = {.customer_id = load->customers[0].id,
                           .channel = STR("chat"),
                           .subject = STR("Question about an invoice"),
                           .started_at = cx->now_us - 3 * HOUR_US};
    struct session begun, over;
    struct event events[] = {
        {.contact_id = load->customers[0].id,
         .event_type = STR("pipeline_stage_changed"),
         .category = CATEGORY_PIPELINE,
         .title = STR("Pipeline stage changed"),
         .description = STR("Contact moved from Lead to Qualified"),
         .payload = PAYLOAD(cx, {"old_status", v_text(STR("Lead"))},
                            {"new_status", v_text(STR("Qualified"))}),
         .occurred_at = cx->now_us - 2 * HOUR_US},
        {.contact_id = load->customers[1].id,
         .event_type = STR("contact_enriched"),
         .category = CATEGORY_SYSTEM,
         .priority = PRIORITY_LOW,
         .title = STR("Contact data enriched"),
         .description = STR("The company register knew the industry and the number of employees"),
         .source = SOURCE_INTEGRATION,
         .integration_source = STR("company-register"),
         .occurred_at = cx->now_us - HOUR_US},
        {.contact_id = load->customers[0].id,
         .event_type = STR("notification_sent"),
         .category = CATEGORY_NOTIFICATION,
         .priority = PRIORITY_URGENT,
         .title = STR("Payment reminder"),
         .description = STR("Your invoice #12345 is due tomorrow"),
         .payload = PAYLOAD(cx, {"invoice_id", v_text(STR("12345"))}, {"amount", v_real(199.9)}),
         .is_realtime = true,
         .visible_to_client = true,
         .expires_at = SOME(cx->now_us + DAY_US)},
        {.contact_id = load->customers[1].id,
         .event_type = STR("callback_requested"),
         .category = CATEGORY_NOTIFICATION,
         .priority = PRIORITY_HIGH,
         .title = STR("A callback is asked for"),
         .description = STR("By the form on the web page: today, after four"),
         .source = SOURCE_WEBHOOK,
         .addressee_id = load->admin_id,
         .is_realtime = true},
    };

    cx->actor.user_id = load->users[1];
    cx->actor.user_name = str_of(team[1].name);
    TRY(session_start(cx, &talk, &begun));
    TRY(session_end(cx, &begun, (struct maybe_int)SOME(talk.started_at + 15 * MINUTE_US), &over));
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        TRY(timeline_index(cx, &events[i]));
        TRY(timeline_record(cx, &events[i]));
    }
    return OK;
}

static enum err load_all(void *context, struct db *db, struct id_source *ids)
{
    struct load *load = context;
    struct ctx cx = {
        .db = db, .arena = load->arena, .error = load->error, .now_us = time_now_us(), .ids = ids};
    struct tenant tenant;
    bool found;

    error_clear(load->error);
    load->dice = 2026;
    TRY(tenant_by_slug(&cx, STR("demo"), &tenant, &found));
    if (found) {
        struct user admin;

        load->tenant_id = tenant.id;
        cx.actor.tenant_id = tenant.id;
        TRY(user_get_by_email(&cx, str_of(team[0].email), &admin));
        load->admin_id = admin.id;
        return OK;
    }
    TRY(load_team(&cx, load));
    TRY(load_companies(&cx, load));
    for (size_t i = 0; i < CUSTOMER_COUNT; i++)
        TRY(load_customer(&cx, load, i));
    for (size_t i = 0; i < INTERACTION_COUNT; i++)
        TRY(load_interaction(&cx, load, i));
    TRY(load_outreach(&cx, load));
    return load_events(&cx, load);
}

enum err demo_load(struct exec *exec, struct uuid *tenant_id, struct uuid *user_id,
                   struct error *error)
{
    struct load load = {.arena = arena_new(DEMO_MEMORY_MAX), .error = error};
    enum err result;

    if (load.arena == NULL)
        return error_set(error, ERR_UNAVAILABLE, "There is no memory for the demo.");
    result = exec_transaction(exec, TX_WRITE, load_all, &load);
    *tenant_id = load.tenant_id;
    *user_id = load.admin_id;
    arena_free(load.arena);
    return result;
}
