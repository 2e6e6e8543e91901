/* How alike texts are, held against what people would say: pairs that they would call the same
 * message and pairs that they would not. And what must hold for any texts. */
#include "base/unit.h"

#include "app/outreach/similarity.h"
#include "base/buf.h"
#include "base/limits.h"

#include <string.h>

struct pair {
    const char *what;
    bool alike;
    const char *subject_a, *body_a, *subject_b, *body_b;
};

#define INTRO_EN                                                                                   \
    "I saw that your team is growing in Berlin and thought of you. We help sales teams of your "   \
    "size to keep every call, mail and message with a customer in one place, so that nobody has "  \
    "to ask a colleague what was said last week.\n\nMost of our customers are up and running in "  \
    "a single afternoon, and they tell us that their reps save about four hours a week. Would "    \
    "you have twenty minutes on Thursday or Friday for a short demo?"
#define PRICE_EN                                                                                   \
    "As promised, here is our quote for twenty-five seats, paid yearly. It holds until the end "   \
    "of the month and includes onboarding, the import of your old data and support by phone.\n\n"  \
    "Please tell me whether your purchasing department needs a different form, and which "         \
    "address the invoice should go to. I will send the contract as soon as you give me the word."
#define TROUBLE_EN                                                                                 \
    "Our engineers have found out why your export stopped at ten thousand rows: a limit that "     \
    "was meant for the trial was still set on your account. It has been lifted, and the export "   \
    "that you began yesterday is now complete and waits in your downloads.\n\nI am sorry for "     \
    "the trouble that this gave you before your board meeting."
#define INVOICE_EN(number, sum, day)                                                               \
    "Please find attached invoice " number " over " sum ", due on " day ". You can pay by card "   \
    "in your account or by transfer to the bank details on the second page. If you have paid "     \
    "already, please ignore this message."
#define INVITE_EN                                                                                  \
    "Please join us for our summer evening on the roof terrace. There will be short talks by "     \
    "three of our customers, music, and something to eat and drink. If you would like to bring "   \
    "a colleague, just let us know by the end of the week."
#define CARD_EN                                                                                    \
    "\n\nKind regards\nAlice Miller\nAccount Executive, Acme Ltd\n12 Harbour Street, London\n"     \
    "+44 20 7946 0100"
#define INTRO_DE                                                                                    \
    "ich habe gesehen, dass Ihr Vertrieb in Hamburg wächst, und musste an Sie denken. Wir helfen " \
    "Teams Ihrer Größe, jedes Gespräch und jede Nachricht mit einem Kunden an einem Ort zu "     \
    "halten, sodass niemand mehr die Kollegen fragen muss, was letzte Woche besprochen wurde. "     \
    "Die meisten unserer Kunden sind an einem einzigen Nachmittag so weit. Hätten Sie am "         \
    "Donnerstag oder Freitag zwanzig Minuten Zeit für eine kurze Vorführung?"
#define REMINDER_DE                                                                                \
    "bei der Durchsicht unserer Konten ist uns aufgefallen, dass die Rechnung vom März noch "     \
    "offen ist. Bestimmt ist sie nur untergegangen. Wir bitten Sie, den Betrag in den nächsten "  \
    "zehn Tagen zu überweisen; eine Kopie liegt bei. Sollten Sie inzwischen gezahlt haben, "      \
    "betrachten Sie dieses Schreiben bitte als gegenstandslos."
#define CARD_DE "\n\nMit freundlichen Grüßen\nJürgen Weiß\nVertrieb Nord\nTel. 040 123456-78"
#define INTRO_ES                                                                                   \
    "he visto que su equipo de ventas está creciendo en Sevilla y he pensado en ustedes. "        \
    "Ayudamos a equipos como el suyo a reunir en un solo lugar cada llamada y cada mensaje con "   \
    "un cliente, para que nadie tenga que preguntar a un compañero qué se habló la semana "     \
    "pasada. ¿Tendría veinte minutos el jueves o el viernes para una breve demostración?"
#define RENEWAL_ES                                                                                  \
    "su contrato vence el treinta de junio y nos gustaría seguir trabajando con ustedes. Adjunto " \
    "encontrará la propuesta de renovación con las mismas condiciones y dos usuarios más sin "   \
    "coste. Si está de acuerdo, basta con que nos la devuelva firmada antes de fin de mes."
#define INTRO_RU                                                                                                                                                         \
    "я увидел, что ваш отдел продаж растёт, и подумал о вас. Мы помогаем командам хранить все "    \
    "звонки и письма клиентам в одном месте, чтобы никому не приходилось спрашивать коллег, о " \
    "чём говорили на прошлой неделе. Найдётся ли у вас двадцать минут в четверг или пятницу?"
#define INVOICE_RU                                                                                                                                                 \
    "направляем вам счёт за март. Просим оплатить его в течение десяти дней по реквизитам, " \
    "указанным на второй странице. Если оплата уже произведена, пожалуйста, не обращайте "   \
    "внимания на это письмо и примите нашу благодарность."
#define INTRO_ZH                                                                                                                                 \
    "我注意到贵公司的销售团队正在扩大，所以想到了您。我们帮助像您这样的团队把与客户的每一次通话"    \
    "和每一封邮件集中保存在一个地方，这样就没有人需要再去问同事上周谈了什么。请问您周四或周五有二" \
    "十分钟时间看一个简短的演示吗？"
#define INVOICE_ZH                                                                                                                               \
    "随信附上三月份的发票，请在十天之内按照第二页的银行账户付款。如果您已经付款，请忽略这封邮件。" \
    "如需修改发票抬头或者收件地址，请尽快告诉我们，我们会重新开具。"
#define INTRO_JA                                                                                                                                 \
    "貴社の営業チームが拡大されていると伺い、ご連絡いたしました。当社は、お客様とのすべての通話と" \
    "メールを一か所にまとめ、先週何を話したかを同僚に尋ねる必要をなくすお手伝いをしております。"    \
    "木曜日か金曜日に二十分ほどお時間をいただけますでしょうか。"
#define INVOICE_JA                                                                                                                               \
    "三月分の請求書をお送りいたします。二ページ目に記載の口座へ、十日以内にお振り込みくださいます" \
    "ようお願い申し上げます。すでにお支払いがお済みの場合は、このメールを破棄してください。"

/* clang-format off */
static const struct pair pairs[] = {
    /* Subjects, or the text of a message that has none */
    {"the same", true, "Quick question about your CRM", NULL, "Quick question about your CRM", NULL},
    {"case and punctuation", true, "Quick question - about your CRM?", NULL, "QUICK QUESTION ABOUT YOUR CRM", NULL},
    {"a reply", true, "Re: Quote for 25 seats", NULL, "Quote for 25 seats", NULL},
    {"replies to a forwarded one", true, "AW: WG: Angebot", NULL, "Fwd: Re[2]: Angebot", NULL},
    {"one typo", true, "Following up on our conversation", NULL, "Folowing up on our conversation", NULL},
    {"two typos", true, "Invitation to our webinar on Thursday", NULL, "Invitiation to our webinar on Thurdsay", NULL},
    {"reworded a little", true, "Following up on our call", NULL, "Follow-up on our call yesterday", NULL},
    {"words in another order", true, "Your quote for 25 seats from Acme", NULL, "Acme: your quote for 25 seats", NULL},
    {"another name", true, "Maria, a quick question about your CRM", NULL, "Thomas, a quick question about your CRM", NULL},
    {"another number", true, "Your invoice 2026-0471 is ready", NULL, "Your invoice 2026-0522 is ready", NULL},
    {"another day", true, "Demo on Thursday at 10:00?", NULL, "Demo on Friday at 10:00?", NULL},
    {"German: ss for ß, no umlaut dots", true, "Grüße aus Köln: Ihr Angebot für die Straße", NULL, "GRUSSE AUS KOLN: IHR ANGEBOT FUR DIE STRASSE", NULL},
    {"German: reworded a little", true, "Ihr Angebot über 25 Arbeitsplätze", NULL, "Angebot über 25 Arbeitsplätze für Sie", NULL},
    {"Spanish: without accents", true, "¿Cuándo podría llamarle la próxima semana?", NULL, "Cuando podria llamarle la proxima semana", NULL},
    {"Japanese: width and politeness", true, "お見積書のご送付（ＡＣＭＥ）", NULL, "お見積書の送付 (ACME)", NULL},
    {"Chinese: a word more", true, "关于贵公司报价的跟进", NULL, "关于贵公司最新报价的跟进", NULL},
    {"Chinese: a reply", true, "回复：项目报价单", NULL, "项目报价单", NULL},
    {"Arabic: with and without vowel signs", true, "عَرْضُ أَسْعَارٍ جَدِيد", NULL, "عرض أسعار جديد", NULL},
    {"Russian: another day", true, "Приглашение на демонстрацию в четверг", NULL, "Приглашение на демонстрацию в пятницу", NULL},
    {"a text message, another name", true, NULL, "Hi Ben, your parcel is on its way and arrives today between 2 and 4 pm.", NULL, "Hi Olivia, your parcel is on its way and arrives today between 9 and 11 am."},

    {"other subjects", false, "Quick question about your CRM", NULL, "Invitation to our summer party", NULL},
    {"same length, some words", false, "Your invoice for March", NULL, "Your seat for the webinar", NULL},
    {"same beginning", false, "Following up on our call", NULL, "Following the new privacy law", NULL},
    {"same product", false, "Acme Cloud: your trial ends tomorrow", NULL, "Acme Cloud: meet us in Lisbon", NULL},
    {"thanks for two things", false, "Thank you for your order", NULL, "Thank you for the nice talk", NULL},
    {"one word of many", false, "Quote", NULL, "Two ideas to lower the cost of your next office move", NULL},
    {"German: invoice and invitation", false, "Ihre Rechnung für März", NULL, "Ihre Einladung zum Sommerfest", NULL},
    {"German: same beginning", false, "Unser Gespräch am Montag", NULL, "Unser neuer Katalog ist da", NULL},
    {"Spanish: other things", false, "Su factura de marzo", NULL, "Una idea para su equipo de ventas", NULL},
    {"Chinese: other things", false, "关于贵公司报价的跟进", NULL, "邀请您参加夏季活动", NULL},
    {"Chinese: same company", false, "贵公司三月份的发票", NULL, "贵公司销售团队的演示", NULL},
    {"Japanese: other things", false, "お見積書のご送付", NULL, "夏のイベントのご案内", NULL},
    {"Arabic: other things", false, "عرض أسعار جديد", NULL, "دعوة إلى حفل الصيف", NULL},
    {"Russian: other things", false, "Счёт за март", NULL, "Приглашение на летний вечер", NULL},
    {"text messages, same greeting", false, NULL, "Hi Ben, your parcel is on its way and arrives today.", NULL, "Hi Ben, can we move our call to Tuesday morning instead?"},
    {"a subject and a text", false, "Quick question about your CRM", NULL, NULL, INTRO_EN},

    /* Mails */
    {"another greeting", true, "Sales in Berlin", "Dear Ms Schmidt,\n\n" INTRO_EN CARD_EN, "Sales in Berlin", "Hello Thomas,\n\n" INTRO_EN CARD_EN},
    {"another sender", true, "Sales in Berlin", "Hello Thomas,\n\n" INTRO_EN CARD_EN, "A thought on your sales team", "Hello Thomas,\n\n" INTRO_EN "\n\nBest\nBob"},
    {"an invoice with other numbers", true, "Invoice 4711", "Hello,\n\n" INVOICE_EN("4711", "EUR 1,250.00", "1 March 2026") CARD_EN, "Invoice 5822", "Hello,\n\n" INVOICE_EN("5822", "EUR 310.50", "15 April 2026") CARD_EN},
    {"paragraphs in another order", true, "Sales", "Most of our customers are up and running in a single afternoon. They save about four hours a week, which they would rather spend with people.\n\nWe help sales teams to keep every call and every mail in one place. Nobody has to ask a colleague what was said last week.", "Sales", "We help sales teams to keep every call and every mail in one place. Nobody has to ask a colleague what was said last week.\n\nMost of our customers are up and running in a single afternoon. They save about four hours a week, which they would rather spend with people."},
    {"a sentence more", true, "Your quote", "Hello Ms Smith,\n\n" PRICE_EN CARD_EN, "Re: Your quote", "Hello Ms Smith,\n\nI just tried to reach you by phone. " PRICE_EN CARD_EN},
    {"quoted whole below a line", true, "Your quote", "Hello Ms Smith,\n\n" PRICE_EN CARD_EN, "Re: Your quote", "Hello again, any news on this?\n\n> Hello Ms Smith,\n> " PRICE_EN CARD_EN},
    {"a few words changed", true, "Sales", "Hi Tom,\n\nI saw that your team is growing in Berlin and thought of you. We help sales teams of your size to keep every call and message with a customer in one place. Would you have twenty minutes on Thursday for a short demo?\n\nBest, Alice", "Sales", "Hi Tom,\n\nI noticed that your team is growing in Munich and thought of you. We help sales teams of your size to keep every mail and message with a customer in one place. Would you have fifteen minutes on Tuesday for a short demo?\n\nBest, Alice"},
    {"German: another greeting", true, "Vertrieb", "Sehr geehrte Frau Schmidt,\n\n" INTRO_DE CARD_DE, "Vertrieb", "Guten Tag Herr Öztürk,\n\n" INTRO_DE CARD_DE},
    {"German: written without umlauts' dots", true, "Mahnung", "Sehr geehrte Damen und Herren,\n\n" REMINDER_DE, "Zahlungserinnerung", "SEHR GEEHRTE DAMEN UND HERREN,\n\n" REMINDER_DE},
    {"Spanish: another greeting", true, "Ventas", "Estimada señora García:\n\n" INTRO_ES, "Ventas", "Hola, Pablo:\n\n" INTRO_ES "\n\nUn saludo\nLucía"},
    {"Russian: another greeting", true, "Продажи", "Уважаемая Анна Сергеевна!\n\n" INTRO_RU, "Продажи", "Добрый день, Игорь!\n\n" INTRO_RU},
    {"Chinese: another greeting", true, "销售团队", "王女士，您好！\n\n" INTRO_ZH, "销售团队", "李先生，您好！\n\n" INTRO_ZH},
    {"Japanese: another greeting", true, "営業支援のご案内", "田中様\n\n" INTRO_JA, "営業支援のご案内", "株式会社アクメ 鈴木様\n\n" INTRO_JA},

    {"same greeting and card", false, "Sales in Berlin", "Hello Thomas,\n\n" INTRO_EN CARD_EN, "Your quote", "Hello Thomas,\n\n" PRICE_EN CARD_EN},
    {"follow-ups of other things", false, "Follow-up", "Hello Thomas,\n\n" PRICE_EN CARD_EN, "Follow-up", "Hello Thomas,\n\n" TROUBLE_EN CARD_EN},
    {"invoice and invitation", false, "Invoice 4711", "Hello,\n\n" INVOICE_EN("4711", "EUR 1,250.00", "1 March 2026") CARD_EN, "Summer evening", "Hello,\n\n" INVITE_EN CARD_EN},
    {"short mails, same greeting and card", false, "Friday", "Hello Thomas,\n\nshall we meet on Friday?" CARD_EN, "Contract", "Hello Thomas,\n\nthe contract was signed this morning, thank you for the quick work on your side. The next step is a kick-off with both of our teams, for which I suggest the second week of May." CARD_EN},
    {"same subject", false, "Hello from Acme", INTRO_EN, "Hello from Acme", INVITE_EN},
    {"German: same greeting and card", false, "Vertrieb", "Sehr geehrte Frau Schmidt,\n\n" INTRO_DE CARD_DE, "Offene Rechnung", "Sehr geehrte Frau Schmidt,\n\n" REMINDER_DE CARD_DE},
    {"Spanish: same greeting", false, "Ventas", "Estimada señora García:\n\n" INTRO_ES, "Renovación", "Estimada señora García:\n\n" RENEWAL_ES},
    {"Russian: same greeting", false, "Продажи", "Добрый день, Игорь!\n\n" INTRO_RU, "Счёт", "Добрый день, Игорь!\n\n" INVOICE_RU},
    {"Chinese: same greeting", false, "销售团队", "王女士，您好！\n\n" INTRO_ZH, "发票", "王女士，您好！\n\n" INVOICE_ZH},
    {"Japanese: same greeting", false, "営業支援のご案内", "田中様\n\n" INTRO_JA, "請求書", "田中様\n\n" INVOICE_JA},
    {"two languages", false, "Sales", INTRO_EN, "Vertrieb", INTRO_DE},
};
/* clang-format on */

/* So far from SIMILARITY_ALIKE is every pair, so that none falls on its side by chance. */
#define MARGIN 0.06

static double similarity(struct arena *arena, struct str subject_a, struct str body_a,
                         struct str subject_b, struct str body_b)
{
    struct sketch *sketch = similarity_sketch(arena, subject_a, body_a);

    return sketch ? similarity_to(sketch, subject_b, body_b) : -1;
}

static double of_pair(struct arena *arena, const struct pair *pair)
{
    return similarity(arena, str_of(pair->subject_a), str_of(pair->body_a), str_of(pair->subject_b),
                      str_of(pair->body_b));
}

static void test_says_what_people_say(void **state)
{
    struct arena *arena = arena_new(MIB(4));
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        const double alike = of_pair(arena, &pairs[i]);

        if (pairs[i].alike ? alike < SIMILARITY_ALIKE + MARGIN
                           : alike > SIMILARITY_ALIKE - MARGIN) {
            print_error("%s: %.3f\n", pairs[i].what, alike);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
    arena_free(arena);
}

/* Of a fixed beginning, so that a failure comes again. */
static uint32_t draw(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % below;
}

static void add_point(struct buf *out, uint32_t point)
{
    if (point < 0x80) {
        buf_add_char(out, (char)point);
    } else if (point < 0x800) {
        buf_add_char(out, (char)(0xC0 | point >> 6));
        buf_add_char(out, (char)(0x80 | (point & 63)));
    } else if (point < 0x10000) {
        buf_add_char(out, (char)(0xE0 | point >> 12));
        buf_add_char(out, (char)(0x80 | (point >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (point & 63)));
    } else {
        buf_add_char(out, (char)(0xF0 | point >> 18));
        buf_add_char(out, (char)(0x80 | (point >> 12 & 63)));
        buf_add_char(out, (char)(0x80 | (point >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (point & 63)));
    }
}

/* Characters of all planes, more of them near to each other, so that words repeat. */
static struct str any_text(struct arena *arena, uint32_t *random)
{
    const uint32_t length = draw(random, draw(random, 8) == 0 ? 3000 : 60);
    const uint32_t from = draw(random, 3) == 0 ? draw(random, 0x10FFFF) : draw(random, 0x3000);
    const uint32_t width = draw(random, 2) == 0 ? 12 : 0x2000;
    struct buf out;

    buf_init(&out, arena, KIB(16));
    for (uint32_t i = 0; i < length; i++) {
        uint32_t point = draw(random, 6) == 0 ? ' ' : from + draw(random, width);

        if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
            point = 0xFDFA; /* which folds to the most */
        add_point(&out, point);
    }
    return out.len > 0 ? buf_str(&out) : STR("");
}

static void test_holds_for_any_text(void **state)
{
    struct arena *arena = arena_new(MIB(16));
    uint32_t random = 4;

    (void)state;
    for (int i = 0; i < 1500; i++) {
        struct str text[4];
        double there, back, same;

        for (size_t j = 0; j < COUNT_OF(text); j++)
            text[j] = any_text(arena, &random);
        assert_true(str_is_utf8(text[0]));
        there = similarity(arena, text[0], text[1], text[2], text[3]);
        back = similarity(arena, text[2], text[3], text[0], text[1]);
        same = similarity(arena, text[0], text[1], text[0], text[1]);
        assert_true(there >= 0 && there <= 1);
        assert_true(there == back);
        assert_true(same == 1 || same == 0); /* 0: it has no word */
        assert_true(similarity(arena, text[0], text[1], STR_NULL, STR_NULL) == 0);
        arena_reset(arena);
    }
    arena_free(arena);
}

static void test_what_has_no_words_is_like_nothing(void **state)
{
    struct arena *arena = arena_new(MIB(1));

    (void)state;
    assert_true(similarity(arena, STR_NULL, STR_NULL, STR_NULL, STR_NULL) == 0);
    assert_true(similarity(arena, STR(""), STR(""), STR(""), STR("")) == 0);
    assert_true(similarity(arena, STR("?!"), STR_NULL, STR("?!"), STR_NULL) == 0);
    assert_true(similarity(arena, STR("Re:"), STR_NULL, STR("Re:"), STR_NULL) == 0);
    assert_true(similarity(arena, STR("a"), STR_NULL, STR("A!"), STR_NULL) == 1);
    arena_free(arena);
}

static void test_subjects_decide_without_a_body(void **state)
{
    struct arena *arena = arena_new(MIB(1));

    (void)state;
    assert_true(similarity(arena, STR("Your quote"), STR_NULL, STR("Your quote"),
                           STR("Hello, here is the price")) == 1);
    assert_true(similarity(arena, STR("Your quote"), STR("Hello, here is the price"),
                           STR("Your quote"), STR("See you on Friday at the fair")) < 0.6);
    arena_free(arena);
}

/* A word that happens to be a prefix is none without its colon. */
static void test_only_prefixes_are_passed_over(void **state)
{
    struct arena *arena = arena_new(MIB(1));

    (void)state;
    assert_true(similarity(arena, STR("RE: Fwd[3]: offer"), STR_NULL, STR("offer"), STR_NULL) == 1);
    assert_true(similarity(arena, STR("re offer"), STR_NULL, STR("offer"), STR_NULL) < 1);
    assert_true(similarity(arena, STR("Note: offer"), STR_NULL, STR("offer"), STR_NULL) < 1);
    arena_free(arena);
}

/* What stands beyond the maximum does not count, and a character at its edge does no harm. */
static void test_long_texts_are_cut(void **state)
{
    static char text_a[3 * SIMILARITY_TEXT_MAX], text_b[3 * SIMILARITY_TEXT_MAX];
    struct arena *arena = arena_new(MIB(4));
    struct str a = {text_a, sizeof text_a}, b = {text_b, sizeof text_b};

    (void)state;
    for (size_t i = 0; i < sizeof text_a; i += 4)
        memcpy(text_a + i, i % 64 == 0 ? "\xE2\x82\xAC " : "abc ", 4);
    memcpy(text_b, text_a, sizeof text_b);
    memset(text_b + SIMILARITY_TEXT_MAX, 'x', sizeof text_b - SIMILARITY_TEXT_MAX);
    for (size_t shift = 0; shift < 4; shift++) {
        const struct str subject = {"xxxx", shift};

        assert_true(similarity(arena, subject, a, subject, b) == 1);
    }
    arena_free(arena);
}

static void test_memory_is_given_back(void **state)
{
    struct arena *arena = arena_new(KIB(64)), *small = arena_new(KIB(2));
    const struct pair *mail = &pairs[COUNT_OF(pairs) - 1];
    struct sketch *sketch = similarity_sketch(arena, str_of(mail->subject_a), str_of(mail->body_a));
    size_t used;

    (void)state;
    (void)similarity_to(sketch, str_of(mail->subject_b), str_of(mail->body_b));
    used = arena_used(arena);
    for (int i = 0; i < 50; i++)
        assert_true(similarity_to(sketch, str_of(mail->subject_b), str_of(mail->body_b)) >= 0);
    assert_int_equal(arena_used(arena), used);
    assert_true(of_pair(small, mail) < 0);
    arena_free(small);
    arena_free(arena);
}

/* Neither what came before nor whether it had a body changes what a sketch says. */
static void test_a_sketch_serves_for_many(void **state)
{
    struct arena *arena = arena_new(MIB(4)), *other = arena_new(MIB(4));

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct sketch *sketch =
            similarity_sketch(arena, str_of(pairs[i].subject_a), str_of(pairs[i].body_a));

        for (size_t j = 0; j < COUNT_OF(pairs); j++) {
            const struct str subject = str_of(pairs[j].subject_b), body = str_of(pairs[j].body_b);

            assert_true(similarity_to(sketch, subject, body) ==
                        similarity(other, str_of(pairs[i].subject_a), str_of(pairs[i].body_a),
                                   subject, body));
            assert_true(similarity_to(sketch, subject, STR_NULL) ==
                        similarity(other, str_of(pairs[i].subject_a), STR_NULL, subject, STR_NULL));
            arena_reset(other);
        }
        arena_reset(arena);
    }
    arena_free(other);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_what_people_say),
        cmocka_unit_test(test_holds_for_any_text),
        cmocka_unit_test(test_what_has_no_words_is_like_nothing),
        cmocka_unit_test(test_subjects_decide_without_a_body),
        cmocka_unit_test(test_only_prefixes_are_passed_over),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_memory_is_given_back),
        cmocka_unit_test(test_a_sketch_serves_for_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
