// Contact attempts (SPEC.md §4, §7): the routes and shapes of seed 004 over interactions, what
// they do to the lead, the outreach guard that may refuse them, and responses.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import type { Answer, Client, Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';
import { Screen } from '../kit/stream.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const email = { method: 'email', direction: 'outbound' };
const HOUR_MS = 3_600_000;

/** The seed's first answer holds nothing that changes: a time as it is written. */
const ago = (hours: number): string => `${new Date(Date.now() - hours * HOUR_MS).toISOString().slice(0, 19)}Z`;
const pick = (from: Json, names: string[]): Json => Object.fromEntries(names.map((name) => [name, from[name]]));

forEachStore((store) => {
    const site = useServer(store);
    const screens: Screen[] = [];
    let admin: Client;
    let agent: { user: Json; client: Client };
    let manager: { user: Json; client: Client };

    before(async () => {
        admin = site.admin;
        agent = await addPerson(admin, 'agent', { name: 'Sarah Smith' });
        manager = await addPerson(admin, 'manager', { name: 'Maria Manager' });
    });
    after(() => screens.forEach((screen) => screen.close()));

    async function lead(fields: Json = {}): Promise<Json> {
        const made = await admin.post('/leads', { name: 'John Lead', ...fields });
        assert.equal(made.status, 201, made.text);
        return made.body;
    }

    const log = (id: string, fields: Json, client: Client = agent.client): Promise<Answer> =>
        client.post(`/leads/${id}/contacts`, { ...email, ...fields });

    async function logged(id: string, fields: Json = {}, client: Client = agent.client): Promise<Json> {
        const made = await log(id, fields, client);
        assert.equal(made.status, 201, made.text);
        return made.body;
    }

    async function history(id: string, query = ''): Promise<Json> {
        const answer = await agent.client.get(`/leads/${id}/contacts${query}`);
        assert.equal(answer.status, 200, answer.text);
        return answer.body;
    }

    const respond = (id: string, body?: Json, at = '/contacts', client: Client = agent.client): Promise<Answer> =>
        client.patch(`${at}/${id}/responded`, body);

    async function summary(id: string): Promise<Json> {
        return pick((await admin.get(`/leads/${id}`)).body,
            ['status', 'contact_count', 'last_contacted_at', 'last_contact_method', 'last_response_at']);
    }

    async function events(id: string, type?: string): Promise<Json[]> {
        const answer = await admin.get(`/contacts/${id}/events?limit=100`);
        assert.equal(answer.status, 200, answer.text);
        return answer.body.events.filter((one: Json) => type === undefined || one.event_type === type);
    }

    const types = async (id: string): Promise<string[]> =>
        (await events(id)).map(({ event_type }) => event_type).reverse();

    async function totals(): Promise<number[]> {
        return Promise.all(['/interactions', '/leads'].map(async (path) => (await admin.get(`${path}?limit=1`)).body.total));
    }

    test('the examples of seed 004, as printed', async () => {
        const { id } = await lead();
        const metadata = { email_id: 'msg_123', thread_id: 'thread_456' };
        const made = await agent.client.post(`/leads/${id}/contacts`, {
            method: 'email', direction: 'outbound', subject: 'Quick question about your tech stack',
            body: 'Hi John, I noticed you\'re using...', metadata,
        });
        assert.equal(made.status, 201, made.text);
        assert.equal(made.headers.location, `/api/v1/interactions/${made.body.id}`);
        assert.equal(made.headers.etag, '"1"');
        assert.deepEqual(pick(made.body, ['lead_id', 'user_id', 'method', 'direction']),
            { lead_id: id, user_id: agent.user.id, method: 'email', direction: 'outbound' });
        assert.match(made.body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
        const { id: _id, interaction_number, created_at, updated_at, started_at, ...rest } = made.body;
        assert.match(interaction_number, /^INT-\d{4}-\d{5,}$/);
        assert.deepEqual([updated_at, started_at], [created_at, created_at]);
        assert.deepEqual(rest, {
            lead_id: id, user_id: agent.user.id, user: { id: agent.user.id, name: 'Sarah Smith' }, method: 'email',
            direction: 'outbound', subject: 'Quick question about your tech stack',
            body: 'Hi John, I noticed you\'re using...', responded: false, metadata, outcome: null, channel: null,
            ended_at: null, duration_sec: null, attendees: [], follow_up_required: false, follow_up_date: null,
            follow_up_notes: null, follow_up_assignee: null, follow_up_completed_at: null,
            follow_up_snoozed_until: null, session_id: null, external_id: null, version: 1,
        });
        assert.deepEqual(await summary(id), {
            status: 'contacted', contact_count: 1, last_contacted_at: created_at, last_contact_method: 'email',
            last_response_at: null,
        });

        const older = await logged(id, { method: 'linkedin', subject: 'Connection request', started_at: ago(48) }, manager.client);
        assert.equal(older.method, 'linkedin');
        const response_at = new Date().toISOString();
        const answered = await respond(made.body.id, { responded: true, response_at });
        assert.equal(answered.status, 200, answered.text);
        assert.deepEqual([answered.body.responded, Date.parse(answered.body.response_at), answered.headers.etag],
            [true, Date.parse(response_at), '"2"']);
        const after = await summary(id);
        assert.deepEqual([after.status, Date.parse(after.last_response_at), after.contact_count, after.last_contact_method],
            ['conversing', Date.parse(response_at), 2, 'email']);

        const { data, total } = await history(id);
        assert.equal(total, 2);
        assert.deepEqual(data, [answered.body, older]);
        const printed = ['id', 'method', 'direction', 'subject', 'responded', 'user', 'created_at'];
        for (const name of printed) assert.ok(name in data[1], name);
        assert.equal('response_at' in data[1], false); // as printed
        assert.deepEqual(data[1].user, { id: manager.user.id, name: 'Maria Manager' });
    });

    test('an attempt is an interaction, and the other way round', async () => {
        const { id } = await lead();
        const attempt = await logged(id, { method: 'linkedin', subject: 'Hello', body: 'Text', attendees: [manager.user.id] });
        const interaction = (await admin.get(`/interactions/${attempt.id}`)).body;
        assert.deepEqual(
            pick(interaction, ['customer_id', 'type', 'channel', 'direction', 'subject', 'description', 'created_by', 'attendees', 'responded']),
            {
                customer_id: id, type: 'social_media', channel: 'linkedin', direction: 'outbound', subject: 'Hello',
                description: 'Text', created_by: agent.user.id, attendees: [manager.user.id], responded: false,
            });
        const note = await admin.post('/interactions', {
            customer_id: id, type: 'note', direction: 'inbound', subject: 'A note', description: 'Seen', started_at: ago(30),
        });
        const { data, total } = await history(id);
        assert.equal(total, 2);
        assert.deepEqual(data.map((row: Json) => [row.id, row.method, row.subject, row.body]),
            [[attempt.id, 'linkedin', 'Hello', 'Text'], [note.body.id, 'note', 'A note', 'Seen']]);
        assert.equal((await admin.get(`/interactions?customer_id=${id}`)).body.total, 2);
        assert.equal((await admin.del(`/interactions/${attempt.id}`)).status, 204);
        assert.equal((await history(id)).total, 1);
        assert.equal((await respond(attempt.id)).status, 404);
    });

    test('LinkedIn is a method of its own, however its channel is written', async () => {
        const { id } = await lead();
        const social = { customer_id: id, type: 'social_media', direction: 'outbound', subject: 'Hi' };
        for (const [channel, hours] of [['LinkedIn', 400], ['mastodon', 600], ['LINKEDIN', 800]] as const) {
            assert.equal((await admin.post('/interactions', { ...social, channel, started_at: ago(hours) })).status, 201);
        }
        assert.deepEqual((await history(id)).data.map((row: Json) => [row.method, row.channel]),
            [['linkedin', 'linkedin'], ['social_media', 'mastodon'], ['linkedin', 'linkedin']]);
        const { data: linkedin, total } = await history(id, '?method=linkedin');
        assert.deepEqual([linkedin.length, total], [2, 2]);
        assert.deepEqual((await history(id, '?method=social_media')).data.map((row: Json) => row.channel), ['mastodon']);
        assert.equal((await history(id, '?method=social_media')).total, 1);
        assert.equal((await summary(id)).last_contact_method, 'linkedin');
        assert.deepEqual(faults((await agent.client.get(`/leads/${id}/contacts?method=pigeon`)).body), ['method not_one_of']);
        // What is said to be LinkedIn is guarded as that, or refused.
        const other = await log(id, { method: 'linkedin', channel: 'inmail' });
        assert.deepEqual([other.status, faults(other.body)], [422, ['channel conflict']]);
        assert.equal((await logged(id, { method: 'linkedin', channel: 'LinkedIn' })).method, 'linkedin');
        assert.equal((await log(id, { method: 'linkedin' })).status, 429);
    });

    test('what the lead\'s status becomes', async () => {
        const statusAfter = async (status: string, fields: Json): Promise<string> => {
            const { id } = await lead({ status });
            await logged(id, fields);
            return (await summary(id)).status;
        };
        assert.deepEqual(
            await Promise.all(['new', 'enriched', 'conversing', 'qualified', 'lost'].map((status) => statusAfter(status, {}))),
            ['contacted', 'contacted', 'conversing', 'qualified', 'lost']);
        assert.equal(await statusAfter('contacted', { direction: 'inbound' }), 'conversing');
        assert.equal(await statusAfter('new', { direction: 'inbound' }), 'new');
        assert.equal(await statusAfter('new', { responded: true }), 'conversing');
        assert.equal(await statusAfter('qualified', { responded: true }), 'qualified');
    });

    test('what comes in is no contact by us, and is not guarded', async () => {
        const { id } = await lead();
        for (let i = 0; i < 3; i++) await logged(id, { direction: 'inbound', started_at: ago(3 - i) });
        const { contact_count, last_contacted_at, last_response_at } = await summary(id);
        assert.deepEqual([contact_count, last_contacted_at, Date.parse(last_response_at)], [0, null, Date.parse(ago(1))]);
        await logged(id); // an answer is free, once
        assert.equal((await log(id, {})).status, 429);
    });

    test('too soon is 429 with the facts, which only a manager overrides', async () => {
        const { id } = await lead({ timezone: 'Asia/Tokyo' });
        const first = await logged(id, { subject: 'Quick question about your tech stack', body: 'Hi John' });
        const before = [await totals(), await types(id), await summary(id)];
        const again = { subject: 'Quick question on your tech stack', body: 'Hi John' };
        const refused = await log(id, again);
        assert.equal(refused.status, 429, refused.text);
        assert.match(refused.headers['content-type']!, /^application\/problem\+json/);
        const { check, detail } = refused.body;
        assert.deepEqual([check.decision, check.method, check.may_override], ['blocked', 'email', false]);
        assert.ok(check.broken.includes('min_hours'), refused.text);
        assert.equal(detail, check.message);
        assert.match(detail, /Sarah Smith/);
        assert.deepEqual(check.touches.map((touch: Json) => [touch.id, touch.user, touch.subject, touch.started_at]),
            [[first.id, { id: agent.user.id, name: 'Sarah Smith' }, first.subject, first.started_at]]);
        assert.ok(check.touches[0].similarity > 0.5 && check.touches[0].similarity <= 1, refused.text);
        const wait = Number(refused.headers['retry-after']);
        const until = (Date.parse(check.retry_at) - Date.now()) / 1000;
        assert.ok(Math.abs(wait - until) < 30, `${wait} ${until}`);
        assert.ok(wait > 23 * 3600, `${wait}`);

        const override = { ...again, override: true, override_reason: 'They asked for it by phone' };
        const tried = await log(id, override);
        assert.deepEqual([tried.status, tried.body.check.may_override], [429, false]);
        assert.equal((await log(id, again, manager.client)).status, 429); // not unless they say so
        assert.equal((await log(id, again, manager.client)).body.check.may_override, true);
        assert.deepEqual([await totals(), await types(id), await summary(id)], before);

        const made = await logged(id, override, manager.client);
        const [told, ...more] = await events(id, 'outreach_override');
        assert.deepEqual([more, await events(id, 'outreach_flagged')], [[], []]);
        assert.deepEqual([told!.interaction_id, told!.triggered_by, told!.payload.reason, told!.payload.decision],
            [made.id, manager.user.id, 'They asked for it by phone', 'blocked']);
        assert.deepEqual(told!.payload.touches.map((touch: Json) => touch.id), [first.id]);
        assert.equal('override' in made || 'override_reason' in made, false);
        assert.deepEqual((await types(id)).slice(-2), ['interaction_logged', 'outreach_override']);
        assert.equal((await summary(id)).contact_count, 2);
        assert.equal((await log(id, { method: 'call' })).status, 201); // by another method it is another matter
    });

    test('within the days of warning it is 409 with the facts, which anyone overrides', async () => {
        const { id } = await lead();
        const first = await logged(id, { started_at: ago(72) });
        const refused = await log(id, {});
        assert.equal(refused.status, 409, refused.text);
        assert.deepEqual(pick(refused.body.check, ['decision', 'broken', 'may_override', 'retry_at']),
            { decision: 'warning', broken: ['warn_days'], may_override: true, retry_at: null });
        assert.equal(refused.headers['retry-after'], undefined);
        assert.equal(refused.body.check.touches[0].id, first.id);
        assert.equal((await history(id)).total, 1);
        const made = await logged(id, { override: true, override_reason: 'A new matter' });
        const [told] = await events(id, 'outreach_override');
        assert.deepEqual([told!.interaction_id, told!.triggered_by, told!.payload.reason, told!.payload.decision],
            [made.id, agent.user.id, 'A new matter', 'warning']);
    });

    test('an override of nothing is no override', async () => {
        const { id } = await lead();
        await logged(id, { override: true, override_reason: 'To be sure' });
        assert.deepEqual(await events(id, 'outreach_override'), []);
    });

    test('everything that is wrong is told at once, and nothing is written', async () => {
        const { id } = await lead();
        const before = [await totals(), await types(id), await summary(id)];
        const bad = async (body: Json, expected: string[]): Promise<void> => {
            const answer = await agent.client.post(`/leads/${id}/contacts`, body);
            assert.deepEqual([answer.status, faults(answer.body)], [422, expected], JSON.stringify(body));
        };
        const ahead = '2999-01-01T00:00:00Z';
        await bad({
            method: 'pigeon', direction: 'sideways', responded: true, response_at: ahead, override: true,
            ended_at: '2020-01-01T00:00:00Z', duration_seconds: 5, lead: 'x',
        }, ['direction not_one_of', 'duration_seconds read_only', 'ended_at too_small', 'lead unknown_field', 'method not_one_of',
            'override_reason required', 'response_at too_large']);
        await bad({}, ['direction required', 'method required']);
        for (const method of ['note', 'system', 'pigeon', '']) await bad({ ...email, method }, ['method not_one_of']);
        await bad({ ...email, method: null, direction: null }, ['direction not_nullable', 'method not_nullable']);
        await bad({ ...email, responded: true, response_at: ahead }, ['response_at too_large']);
        await bad({ ...email, started_at: ago(2), responded: true, response_at: ago(3) }, ['response_at too_small']);
        await bad({ ...email, started_at: ahead, responded: true }, ['response_at too_small']);
        await bad({ ...email, response_at: ago(1) }, ['response_at conflict']);
        await bad({ ...email, direction: 'inbound', responded: true }, ['responded conflict']);
        await bad({ ...email, override: true }, ['override_reason required']);
        await bad({ ...email, override: true, override_reason: ' \n' }, ['override_reason required']);
        await bad({ ...email, override: true, override_reason: null }, ['override_reason required']);
        for (const override_reason of ['\u00a0\u3000', '\u200b', '...']) {
            await bad({ ...email, override: true, override_reason }, ['override_reason required']);
        }
        await bad({ ...email, override: true, override_reason: 'x'.repeat(1001) }, ['override_reason too_long']);
        await bad({ ...email, override: true, override_reason: 'a\u0007b' }, ['override_reason bad_format']);
        await bad({ ...email, override_reason: 'Why not' }, ['override required']);
        await bad({ ...email, override: 'yes', override_reason: 'Why not' }, ['override wrong_type']);
        await bad({ ...email, subject: '', body: 'x'.repeat(10241), metadata: [] },
            ['body too_long', 'metadata wrong_type', 'subject too_short']);
        for (const [field, value] of [['attendees', [unknown]], ['session_id', unknown], ['follow_up_assignee', unknown]]) {
            assert.equal((await log(id, { [field as string]: value })).status, 404, field as string);
        }
        assert.deepEqual([await totals(), await types(id), await summary(id)], before);
    });

    test('a response to the second of the attempt is none before it', async () => {
        const { id } = await lead();
        const made = await logged(id, {
            started_at: '2026-02-10T12:00:00.900Z', responded: true, response_at: '2026-02-10T12:00:00Z',
        });
        assert.deepEqual([made.responded, made.response_at], [true, '2026-02-10T12:00:00Z']);
    });

    test('what has happened is recorded and flagged, by every way in', async () => {
        const { id } = await lead({ external_id: `flagged-${store}` });
        const touch = { customer_id: id, type: 'email', direction: 'outbound', subject: 'Hello' };
        const flags = async (): Promise<Json[]> => (await events(id, 'outreach_flagged')).reverse();
        const first = await admin.post('/interactions', { ...touch, started_at: '2026-03-10T12:00:00Z' });
        assert.deepEqual(await flags(), []);

        const second = await agent.client.post('/interactions', { ...touch, started_at: '2026-03-10T14:00:00Z' });
        assert.equal(second.status, 201, second.text);
        const [flag] = await flags();
        assert.deepEqual([flag!.interaction_id, flag!.triggered_by, flag!.payload.decision, flag!.payload.method],
            [second.body.id, agent.user.id, 'blocked', 'email']);
        assert.deepEqual(flag!.payload.touches.map((one: Json) => one.id), [first.body.id]);
        assert.deepEqual((await types(id)).slice(-2), ['interaction_logged', 'outreach_flagged']);

        const bulk = await agent.client.post('/interactions/bulk', [
            { ...touch, started_at: '2026-03-13T12:00:00Z' }, { ...touch, started_at: '2026-03-13T13:00:00Z', direction: 'inbound' },
        ]);
        assert.deepEqual(bulk.body.rows.map((row: Json) => row.status), [201, 201]);
        assert.deepEqual((await flags()).map((one) => one.payload.decision), ['blocked', 'warning']);

        const importing = await admin.post('/imports', { name: 'Flags', source_hash: createHash('sha256').update(`flags ${store}`).digest('hex') });
        const taken = await admin.post(`/imports/${importing.body.id}/rows`, [{
            row: 1, line: 2, customer: { external_id: `flagged-${store}`, name: 'John Lead' },
            interaction: { external_id: `flag-${store}`, type: 'email', direction: 'outbound', started_at: '2026-03-10T15:00:00Z' },
        }]);
        assert.equal(taken.body.rows[0].status, 201, taken.text);
        assert.deepEqual((await flags()).map((one) => one.payload.decision), ['blocked', 'warning', 'blocked']);
        assert.equal((await history(id, '?direction=outbound')).total, 4);
    });

    test('an edit is flagged where the guard has not seen it so before', async () => {
        const { id } = await lead();
        const count = async (): Promise<number> => (await events(id, 'outreach_flagged')).length;
        const call = { customer_id: id, type: 'call', direction: 'outbound', subject: 'A call' };
        await admin.post('/interactions', { ...call, started_at: '2026-03-01T12:00:00Z' });
        const busy = await admin.post('/interactions', { ...call, outcome: 'busy', started_at: '2026-03-01T13:00:00Z' });
        const at = `/interactions/${busy.body.id}`;
        assert.equal(await count(), 0); // nobody answered
        assert.equal((await admin.put(`${at}/outcome`, { outcome: 'no_answer' })).status, 200);
        assert.equal(await count(), 0);
        assert.equal((await admin.put(`${at}/outcome`, { outcome: 'successful' })).status, 200);
        assert.equal(await count(), 1);
        assert.deepEqual((await types(id)).slice(-2), ['outcome_set', 'outreach_flagged']);
        assert.equal((await admin.patch(at, { description: 'Said yes' })).status, 200);
        assert.equal((await admin.put(`${at}/outcome`, { outcome: 'failed' })).status, 200);
        assert.equal((await respond(busy.body.id, { response_at: '2026-03-01T14:00:00Z' })).status, 200);
        assert.equal(await count(), 1); // nothing that matters to it
        assert.equal((await respond(busy.body.id, { responded: false })).status, 200);
        assert.equal((await admin.patch(at, { started_at: '2026-03-03T13:00:00Z' })).status, 200);
        assert.equal(await count(), 2); // now within the days of warning
        assert.equal((await admin.patch(at, { started_at: '2026-05-03T13:00:00Z' })).status, 200);
        assert.equal((await admin.patch(at, { type: 'email' })).status, 200);
        assert.equal(await count(), 2); // nothing else is near
        const email = await admin.post('/interactions', { ...call, type: 'email', started_at: '2026-06-01T12:00:00Z' });
        assert.equal((await admin.patch(`/interactions/${email.body.id}`, { started_at: '2026-05-03T20:00:00Z' })).status, 200);
        assert.equal(await count(), 3);
    });

    test('what is restored is flagged: nobody deletes their way past the guard', async () => {
        const { id } = await lead();
        const first = await logged(id);
        assert.equal((await admin.del(`/interactions/${first.id}`)).status, 204);
        const second = await logged(id);
        assert.equal((await admin.post(`/interactions/${first.id}/restore`)).status, 200);
        const [flag, ...more] = await events(id, 'outreach_flagged');
        assert.deepEqual([more, flag!.interaction_id, flag!.payload.decision, flag!.payload.touches.map((one: Json) => one.id)],
            [[], first.id, 'blocked', [second.id]]);
        assert.deepEqual((await types(id)).slice(-2), ['interaction_restored', 'outreach_flagged']);
        assert.equal((await admin.del(`/interactions/${second.id}`)).status, 204);
        assert.equal((await admin.del(`/interactions/${first.id}`)).status, 204);
        assert.equal((await admin.post(`/interactions/${first.id}/restore`)).status, 200);
        assert.equal((await events(id, 'outreach_flagged')).length, 1); // alone it breaks nothing
    });

    test('what the guard says is not shown to the customer', async () => {
        const { id } = await lead();
        await logged(id);
        await admin.post('/interactions', { customer_id: id, type: 'email', direction: 'outbound', subject: 'Hi', started_at: ago(0) });
        await logged(id, { override: true, override_reason: 'Asked' }, manager.client);
        const told = (await events(id)).filter(({ event_type }) => /^outreach_/.test(event_type));
        assert.deepEqual(told.map((one) => [one.event_type, one.visible_to_client]), [['outreach_override', false], ['outreach_flagged', false]]);
        const token = await admin.post(`/customers/${id}/tokens`, {});
        assert.equal(token.status, 201, token.text);
        const theirs = site.anonymous.with({ authorization: `Bearer ${token.body.token}` });
        assert.deepEqual((await theirs.get(`/contacts/${id}/events`)).body.events, []);
        for (const path of ['contacts', 'contact-check?method=email']) {
            assert.equal((await theirs.get(`/leads/${id}/${path}`)).status, 403, path);
        }
        assert.equal((await log(id, {}, theirs)).status, 403);
    });

    test('the facts of twenty touches with the longest subjects', async () => {
        const { id } = await lead();
        const wordy = await addPerson(admin, 'agent', { name: '\u{1f600}'.repeat(100) });
        const rows = Array.from({ length: 22 }, (_, at) => ({
            customer_id: id, type: 'email', direction: 'outbound', subject: (at % 2 ? '"' : '\u{1f600}').repeat(255), started_at: ago(at / 10),
        }));
        assert.equal((await wordy.client.post('/interactions/bulk', rows)).status, 200);
        const refused = await log(id, {});
        assert.equal(refused.status, 429, refused.text.slice(0, 1000));
        assert.deepEqual(refused.body.check.touches.map((touch: Json) => touch.subject), rows.slice(0, 20).map((row) => row.subject));
    });

    test('attempts at the ends of time', async () => {
        for (const started_at of ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z']) {
            for (const timezone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
                const { id } = await lead({ timezone });
                assert.equal((await logged(id, { started_at })).started_at, started_at);
                const refused = await log(id, { started_at });
                assert.deepEqual([refused.status, refused.body.check.decision], [429, 'blocked'], refused.text);
                assert.ok(Number(refused.headers['retry-after']) >= 1, refused.headers['retry-after']);
                assert.equal((await log(id, {})).status, 201);
            }
        }
    });

    test('an edit of an interaction whose customer is deleted asks no guard', async () => {
        const { id } = await lead();
        const call = await admin.post('/interactions', {
            customer_id: id, type: 'call', direction: 'outbound', subject: 'A call', outcome: 'busy', started_at: '2026-03-01T12:00:00Z',
        });
        assert.equal((await admin.del(`/leads/${id}`)).status, 204);
        const set = await admin.put(`/interactions/${call.body.id}/outcome`, { outcome: 'successful' });
        assert.deepEqual([set.status, set.body.outcome], [200, 'successful']);
    });

    test('lead:contacted goes to who has the lead open, with the method', async () => {
        const { id } = await lead();
        const screen = await Screen.open(site.server.url, site.tenant.key);
        screens.push(screen);
        await screen.subscribe({ customer: id });
        const socket = io(site.server.url, {
            forceNew: true, reconnection: false, transports: ['websocket'], auth: { token: site.tenant.key, customer: id },
        });
        try {
            await new Promise((resolve) => socket.once('subscribed', resolve));
            const contacted = new Promise<Json>((resolve) => socket.once('lead:contacted', resolve));
            const made = await logged(id, { method: 'linkedin', subject: 'Connection request' });
            const { eventId, ...rest } = await contacted;
            assert.deepEqual(rest, { leadId: id, method: 'linkedin', userId: agent.user.id, userName: 'Sarah Smith' });
            const event = await screen.event('interaction_logged');
            assert.deepEqual([event.id, event.interaction_id, event.payload.method, event.payload.type], [eventId, made.id, 'linkedin', 'social_media']);
        } finally {
            socket.disconnect();
        }
    });

    test('responses: recorded, corrected, taken back', async () => {
        const { id } = await lead();
        const { id: attempt } = await logged(id, { started_at: '2026-02-10T12:00:00Z' });
        const answer = async (body?: Json, at?: string): Promise<Json> => {
            const set = await respond(attempt, body, at);
            assert.equal(set.status, 200, set.text);
            return set.body;
        };
        const first = await answer({ responded: true, response_at: '2026-02-10T14:30:00Z' });
        assert.deepEqual([first.response_at, first.version, first.id], ['2026-02-10T14:30:00Z', 2, attempt]);
        assert.deepEqual(await answer({ responded: true, response_at: '2026-02-10T14:30:00Z' }), first); // the same: nothing
        assert.deepEqual(await answer(), first); // it is known when
        const second = await answer({ response_at: '2026-02-10T13:00:00Z' }, '/contact-attempts');
        assert.deepEqual([second.response_at, second.version], ['2026-02-10T13:00:00Z', 3]);
        assert.equal((await summary(id)).last_response_at, '2026-02-10T13:00:00Z');
        const none = await answer({ responded: false });
        assert.deepEqual([none.responded, 'response_at' in none, none.version], [false, false, 4]);
        assert.deepEqual(pick(await summary(id), ['status', 'last_response_at']), { status: 'conversing', last_response_at: null });
        assert.equal((await answer({ responded: false })).version, 4);
        const told = (await events(id)).reverse().filter(({ event_type }) => /^response_/.test(event_type));
        assert.deepEqual(told.map(({ event_type, interaction_id, payload }) => [event_type, interaction_id, payload]), [
            ['response_recorded', attempt, { response_at: '2026-02-10T14:30:00Z', seconds: 9000 }],
            ['response_recorded', attempt, { response_at: '2026-02-10T13:00:00Z', seconds: 3600 }],
            ['response_removed', attempt, { response_at: '2026-02-10T13:00:00Z', seconds: 3600 }],
        ]);
        const now = await answer({});
        assert.ok(Math.abs(Date.parse(now.response_at) - Date.now()) < 60_000, now.response_at);
        const interaction = (await admin.get(`/interactions/${attempt}`)).body;
        assert.deepEqual([interaction.responded, interaction.response_at], [true, now.response_at]);
    });

    test('responses that cannot be', async () => {
        const { id } = await lead();
        const { id: attempt } = await logged(id, { started_at: '2026-02-10T12:00:00Z' });
        const before = [await types(id), await summary(id), (await admin.get(`/interactions/${attempt}`)).body];
        for (const [body, fault] of [
            [{ response_at: '2999-01-01T00:00:00Z' }, 'response_at too_large'],
            [{ response_at: '2026-02-10T11:59:59Z' }, 'response_at too_small'],
            [{ responded: false, response_at: '2026-02-10T13:00:00Z' }, 'response_at conflict'],
            [{ responded: null }, 'responded not_nullable'],
            [{ response_at: 'yesterday' }, 'response_at bad_format'],
        ] as const) {
            const answer = await respond(attempt, body);
            assert.deepEqual([answer.status, faults(answer.body)], [422, [fault]], JSON.stringify(body));
        }
        const stale = await agent.client.request('PATCH', `/contacts/${attempt}/responded`, {}, { headers: { 'if-match': '"7"' } });
        assert.equal(stale.status, 412, stale.text);
        for (const wrong of [unknown, id, 'x']) {
            for (const at of ['/contacts', '/contact-attempts']) assert.equal((await respond(wrong, {}, at)).status, 404, wrong);
        }
        const inbound = await logged(id, { direction: 'inbound', started_at: '2026-01-10T12:00:00Z' });
        assert.equal((await respond(inbound.id)).status, 409);
        const note = await admin.post('/interactions', { customer_id: id, type: 'note', direction: 'outbound', subject: 'N', started_at: ago(1) });
        assert.equal((await respond(note.body.id)).status, 409);
        assert.equal((await admin.del(`/interactions/${inbound.id}`)).status, 204);
        assert.equal((await admin.del(`/interactions/${note.body.id}`)).status, 204);
        const left = [{ ...(await summary(id)), status: 'contacted' }, (await admin.get(`/interactions/${attempt}`)).body];
        assert.deepEqual(left, before.slice(1)); // but that they wrote, and so converse
        const viewer = await addPerson(admin, 'viewer');
        assert.equal((await respond(attempt, {}, '/contacts', viewer.client)).status, 403);
        assert.equal((await log(id, {}, viewer.client)).status, 403);
        assert.equal((await viewer.client.get(`/leads/${id}/contacts`)).status, 200);
        const right = await agent.client.request('PATCH', `/contacts/${attempt}/responded`, {}, { headers: { 'if-match': '"1"' } });
        assert.equal(right.status, 200, right.text);
    });

    test('edits of what was responded to', async () => {
        const { id } = await lead();
        const made = await logged(id, { started_at: '2026-02-10T12:00:00Z', responded: true, response_at: '2026-02-10T14:00:00Z' });
        const at = `/interactions/${made.id}`;
        const late = await admin.patch(at, { started_at: '2026-02-10T14:00:01Z' });
        assert.deepEqual([late.status, faults(late.body)], [422, ['started_at too_large']]);
        assert.equal((await admin.patch(at, { started_at: '2026-02-10T14:00:00Z' })).status, 200);
        assert.equal((await admin.patch(at, { direction: 'inbound' })).status, 200);
        assert.equal((await respond(made.id, { response_at: '2026-02-10T15:00:00Z' })).status, 409);
        const none = await respond(made.id, { responded: false }); // what no attempt has, can go
        assert.deepEqual([none.status, none.body.responded], [200, false], none.text);
        assert.equal((await respond(made.id, { responded: false })).status, 409);
        assert.equal((await summary(id)).last_response_at, '2026-02-10T14:00:00Z'); // it is their own word now
    });

    test('the history is newest first, by page, offset and cursor, and as CSV', async () => {
        const { id } = await lead();
        const made: Json[] = [];
        for (let i = 0; i < 11; i++) {
            made.unshift(await logged(id, {
                method: i % 2 ? 'call' : 'email', direction: i % 3 ? 'inbound' : 'outbound', subject: `Number ${i}`,
                started_at: `2025-0${1 + Math.floor(i / 3)}-${10 + i}T12:00:00Z`, override: true, override_reason: 'Told late',
            }, manager.client));
        }
        const all = made.map((row) => row.id);
        const idsOf = (page: Json): string[] => page.data.map((row: Json) => row.id);
        assert.deepEqual(idsOf(await history(id, '?limit=50')), all);
        const [byPage, byOffset, byCursor]: [string[], string[], string[]] = [[], [], []];
        let cursor = '';
        for (let at = 0; at < 3; at++) {
            const page = await history(id, `?page=${at + 1}&page_size=4`);
            assert.deepEqual([page.total, page.page, page.page_size], [11, at + 1, 4]);
            byPage.push(...idsOf(page));
            byOffset.push(...idsOf(await history(id, `?offset=${at * 4}&limit=4`)));
            const next = await history(id, `?limit=4${cursor}`);
            byCursor.push(...idsOf(next));
            cursor = `&cursor=${next.next_cursor}`;
        }
        assert.deepEqual([byPage, byOffset, byCursor], [all, all, all]);
        for (const [query, keep] of [
            ['method=call', (row: Json) => row.method === 'call'],
            ['direction=outbound', (row: Json) => row.direction === 'outbound'],
            ['method=phone&direction=inbound', (row: Json) => row.method === 'call' && row.direction === 'inbound'],
        ] as const) {
            const expected = made.filter(keep).map((row) => row.id);
            const page = await history(id, `?${query}&limit=3`);
            assert.deepEqual([idsOf(page), page.total], [expected.slice(0, 3), expected.length], query);
            if (expected.length > 3) {
                const rest = await history(id, `?${query}&limit=20&cursor=${page.next_cursor}`);
                assert.deepEqual(idsOf(rest), expected.slice(3), query);
            }
        }
        const csv = await agent.client.get(`/leads/${id}/contacts?format=csv`);
        const lines = csv.text.trim().split('\r\n');
        assert.match(csv.headers['content-type']!, /^text\/csv/);
        assert.equal(lines.length, 12);
        assert.match(lines[0]!, /^id,lead_id,user_id,user,method,direction,subject,body,responded,response_at,/);
        assert.match(lines[1]!, /Number 10/);
        for (const mount of ['/customers', '/contacts']) {
            assert.deepEqual((await agent.client.get(`${mount}/${id}/contacts?limit=50`)).body.data, (await history(id, '?limit=50')).data);
        }
    });

    test('attempts are logged alike under each of the lead\'s names', async () => {
        for (const mount of ['/customers', '/contacts', '/leads']) {
            const { id } = await lead();
            const made = await agent.client.post(`${mount}/${id}/contacts`, email);
            assert.equal(made.status, 201, made.text);
            assert.equal(made.headers.location, `/api/v1/interactions/${made.body.id}`);
        }
    });

    test('ids of nobody, of others, of who was deleted or merged', async () => {
        const stranger = await site.site.createTenant(`Stranger ${store}`, 'admin@stranger.example');
        const theirs = site.server.client(stranger.key);
        const foreign = (await theirs.post('/leads', { name: 'Foreign' })).body;
        const attempt = (await theirs.post(`/leads/${foreign.id}/contacts`, email)).body;
        const gone = await lead();
        assert.equal((await admin.del(`/leads/${gone.id}`)).status, 204);
        const seen: Json[] = [];
        for (const id of [unknown, foreign.id, gone.id, 'x']) {
            const answers = [await log(id, {}), await agent.client.get(`/leads/${id}/contacts`)];
            assert.deepEqual(answers.map(({ status }) => status), [404, 404], id);
            seen.push(answers.map(({ body }) => body.detail));
        }
        assert.deepEqual(seen[1], seen[0]); // in the same words
        assert.equal((await respond(attempt.id)).status, 404);
        assert.equal((await theirs.get(`/interactions/${attempt.id}`)).body.responded, false);

        const [left, right] = [await lead(), await lead()];
        await logged(right.id, { subject: 'Before' });
        assert.equal((await admin.post(`/leads/${left.id}/merge`, { merged_id: right.id })).status, 200);
        const refused = await log(right.id, {}); // the one who is left was contacted already
        assert.equal(refused.status, 429, refused.text);
        const made = await logged(right.id, { method: 'call', subject: 'After' });
        assert.equal(made.lead_id, left.id);
        for (const { id } of [left, right]) {
            assert.deepEqual((await history(id)).data.map((row: Json) => row.subject), ['After', 'Before']);
        }
    });

    test('a planned attempt counts when it is due, and stands in the way at once', async () => {
        const { id } = await lead();
        const planned = await logged(id, { method: 'call', started_at: ago(-20) });
        assert.deepEqual(pick(await summary(id), ['status', 'contact_count']), { status: 'new', contact_count: 0 });
        assert.equal((await log(id, { method: 'call' })).status, 429);
        assert.deepEqual(faults((await respond(planned.id)).body), ['response_at too_small']);
        assert.equal((await admin.del(`/interactions/${planned.id}`)).status, 204);

        const started_at = new Date(Date.now() + 1500).toISOString();
        await logged(id, { method: 'call', started_at });
        for (const until = Date.now() + 15_000; (await summary(id)).contact_count === 0; ) {
            assert.ok(Date.now() < until, 'it never counts');
            await new Promise((resolve) => setTimeout(resolve, 100));
        }
        const { status, contact_count, last_contacted_at } = await summary(id);
        assert.deepEqual([status, contact_count, Date.parse(last_contacted_at)], ['contacted', 1, Date.parse(started_at)]);
    });

    test('the same key is the same attempt; what was refused is asked anew', async () => {
        const { id } = await lead();
        const under = (key: string, client: Client): Client => client.with({ 'idempotency-key': `${key}-${id}` });
        const first = await log(id, {}, under('a', agent.client));
        const again = await log(id, {}, under('a', agent.client));
        assert.deepEqual([first.status, again.status, again.text, again.headers['idempotent-replayed']], [201, 201, first.text, 'true']);
        assert.equal(again.headers.location, first.headers.location);
        const refused = await log(id, {}, under('b', agent.client));
        assert.equal(refused.status, 429);
        assert.equal((await admin.del(`/interactions/${first.body.id}`)).status, 204);
        assert.equal((await log(id, {}, under('b', agent.client))).status, 201); // it was not remembered
        assert.equal((await history(id)).total, 1);
    });
});
