// Contact events: written by hand, listed in every order, marked, found, and at their end
// (SPEC.md §5, seed 001).
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Answer, Client, Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';
const DAY = 86_400_000;
const ahead = (ms: number): string => new Date(Date.now() + ms).toISOString();
const titles = (answer: Answer): string[] => answer.body.events.map((event: Json) => event.title);
const types = (answer: Answer): string[] => answer.body.events.map((event: Json) => event.event_type);

forEachStore((store) => {
    const site = useServer(store);
    let viewer: { user: Json; client: Client };
    let agent: { user: Json; client: Client };
    let stranger: Client;
    let theirs: { customer: Json; event: Json; session: Json; interaction: Json; user: string };
    let made = 0;

    const addCustomer = async (client = site.admin): Promise<Json> => {
        made += 1;
        return (await client.post('/customers', { name: `Person ${made}` })).body;
    };
    const write = async (contact: Json, fields: Json = {}, client = agent.client): Promise<Json> => {
        const answer = await client.post('/contact-events', { contact_id: contact.id, event_type: 'webhook_received', category: 'tracking', ...fields });
        assert.equal(answer.status, 201, answer.text);
        return answer.body;
    };
    const tokenOf = async (contact: Json): Promise<Client> => {
        const answer = await site.admin.post(`/customers/${contact.id}/tokens`, {});
        assert.equal(answer.status, 201, answer.text);
        return site.anonymous.withKey(answer.body.token);
    };

    before(async () => {
        viewer = await addPerson(site.admin, 'viewer');
        agent = await addPerson(site.admin, 'agent');
        const other = await site.site.createTenant('Else', 'e@else.example');
        stranger = site.server.client(other.key);
        const customer = await addCustomer(stranger);
        theirs = {
            customer, user: other.user.id,
            event: await write(customer, {}, stranger),
            session: (await stranger.post('/sessions', { customer_id: customer.id })).body,
            interaction: (await stranger.post('/interactions', { customer_id: customer.id, type: 'call', direction: 'outbound', subject: 'x', started_at: '2026-01-01T00:00:00Z' })).body,
        };
    });

    test('an event is written with all that it may say, and read again', async () => {
        const contact = await addCustomer();
        const session = (await agent.client.post('/sessions', { customer_id: contact.id })).body;
        const interaction = (await agent.client.post('/interactions', { customer_id: contact.id, type: 'call', direction: 'outbound', subject: 'x', started_at: '2026-01-01T00:00:00Z' })).body;
        const expires = ahead(DAY);
        const whole = {
            contact_id: contact.id, session_id: session.id, interaction_id: interaction.id,
            event_type: 'pipeline_stage_changed', category: 'pipeline', priority: 'high',
            title: 'Pipeline Stage Changed', description: 'Contact moved from Lead to Qualified',
            payload: { old_status: 'Lead', new_status: 'Qualified' }, metadata: { why: [1, null] },
            source: 'integration', integration_source: 'clearbit', addressee_id: viewer.user.id,
            is_realtime: true, visible_to_client: false, visible_to_agent: true, expires_at: expires,
            occurred_at: '2025-10-10T16:35:00+02:00',
        };
        const answer = await agent.client.post('/contact-events', whole);
        assert.equal(answer.status, 201, answer.text);
        assert.equal(answer.headers.location, `/api/v1/contact-events/${answer.body.id}`);
        const { id, created_at, ...rest } = answer.body;
        assert.ok(Math.abs(Date.parse(created_at) - Date.now()) < 60_000);
        assert.deepEqual({ ...rest, expires_at: Date.parse(rest.expires_at) }, {
            ...whole, expires_at: Date.parse(expires), occurred_at: '2025-10-10T14:35:00Z', contact_name: contact.name,
            addressee_type: 'user', triggered_by: agent.user.id, triggered_by_name: agent.user.name,
            delivered: false, delivered_at: null, read: false, read_at: null,
        });
        assert.deepEqual((await viewer.client.get(`/contact-events/${id}`)).body, answer.body);
        const small = await agent.client.post(`/contacts/${contact.id}/events`, { event_type: 'entered_pipeline', category: 'pipeline' });
        assert.deepEqual([small.status, small.body.contact_id, small.body.priority, small.body.source, small.body.visible_to_agent, small.body.visible_to_client, small.body.addressee_type, small.body.is_realtime, small.body.payload],
            [201, contact.id, 'normal', 'agent', true, false, undefined, false, null]);
        const before = (await viewer.client.get(`/contacts/${contact.id}/events/count`)).body.count;
        for (const [i, mount] of ['customers', 'leads'].entries()) {
            const one = await agent.client.post(`/${mount}/${contact.id}/events`, { event_type: 'x', category: 'general', visible_to_client: true });
            assert.deepEqual([one.status, one.body.addressee_type], [201, 'contact']);
            const list = (await viewer.client.get(`/${mount}/${contact.id}/events`)).body;
            assert.deepEqual([list.total, list.events.length], [before + i + 1, before + i + 1]);
            assert.deepEqual((await viewer.client.get(`/${mount}/${contact.id}/events/count`)).body, { count: before + i + 1 });
            assert.equal((await viewer.client.post(`/${mount}/${contact.id}/events/mark-read-up-to`, { event_id: one.body.id })).body.marked, i === 0 ? 1 : 0);
        }
    });

    test('payload and metadata stay the bytes that came', async () => {
        const contact = await addCustomer();
        const payloads = [
            '{}', '{ }', '{"b":1,  "a" : 2}', '{"\\u00e9":"\\u00E9\\/\\ud83d\\ude00","è":"é😀"}',
            '{"big":9223372036854775807,"bigger":123456789012345678901234567890.0,"small":1E-7,"zero":-0.0,"e":1.50e+10}',
            '{"deep":{"list":[[],{},[null,true]],\t"x":"\\n\\t"}}', `{"long":"${'x'.repeat(65_536 - 11)}"}`,
        ];
        for (const payload of payloads) {
            assert.ok(payload.length <= 65_536);
            const body = `{"contact_id":"${contact.id}","event_type":"x","category":"tracking","payload":${payload},"metadata":${payload}}`;
            const answer = await agent.client.post('/contact-events', body);
            assert.equal(answer.status, 201, answer.text.slice(0, 300));
            const list = await agent.client.get(`/contacts/${contact.id}/events?limit=1`);
            const search = `"payload":${payload},"metadata":${payload}`;
            for (const one of [answer, await agent.client.get(`/contact-events/${answer.body.id}`), list]) assert.ok(one.text.includes(search), payload);
        }
    });

    test('what is wrong is told by field, all at once', async () => {
        const contact = await addCustomer();
        const other = await addCustomer();
        const session = (await agent.client.post('/sessions', { customer_id: other.id })).body;
        const interaction = (await agent.client.post('/interactions', { customer_id: other.id, type: 'call', direction: 'outbound', subject: 'x', started_at: '2026-01-01T00:00:00Z' })).body;
        const base = { contact_id: contact.id, event_type: 'x', category: 'general' };
        const post = (fields: Json): Promise<Answer> => agent.client.post('/contact-events', { ...base, ...fields });
        const faultsOf = async (fields: Json): Promise<string[]> => {
            const answer = await post(fields);
            assert.equal(answer.status, 422, answer.text);
            return faults(answer.body);
        };
        assert.deepEqual(faults((await agent.client.post('/contact-events', {})).body), ['category required', 'contact_id required', 'event_type required']);
        const large = { text: 'x'.repeat(65_536) };
        assert.deepEqual(await faultsOf({ category: 'sales', priority: 'top', payload: [1], metadata: large, source: 'me', event_type: '', expires_at: 'soon', id: UNKNOWN, delivered: true, colour: 'red', contact_id: 'x' }),
            ['category not_one_of', 'colour unknown_field', 'contact_id bad_format', 'delivered unknown_field', 'event_type too_short', 'expires_at bad_format', 'id unknown_field', 'metadata too_long', 'payload wrong_type', 'priority not_one_of', 'source not_one_of']);
        assert.deepEqual(await faultsOf({ payload: 'text', metadata: 1 }), ['metadata wrong_type', 'payload wrong_type']);
        const sized = (bytes: number): Json => ({ text: 'x'.repeat(bytes - '{"text":""}'.length) });
        assert.equal((await post({ contact_id: other.id, payload: sized(65_536), metadata: sized(65_536) })).status, 201);
        assert.deepEqual(await faultsOf({ payload: sized(65_537), metadata: sized(65_537) }), ['metadata too_long', 'payload too_long']);
        assert.deepEqual(await faultsOf({ session_id: session.id, interaction_id: interaction.id, expires_at: '2026-01-01T00:00:00Z', visible_to_agent: false }),
            ['expires_at too_small', 'interaction_id mismatch', 'session_id mismatch', 'visible_to_agent conflict']);
        assert.deepEqual(await faultsOf({ addressee_type: 'user' }), ['addressee_id required']);
        assert.deepEqual(await faultsOf({ addressee_type: 'contact' }), ['visible_to_client conflict']);
        assert.deepEqual(await faultsOf({ addressee_type: 'contact', addressee_id: viewer.user.id, visible_to_client: true }), ['addressee_id conflict']);
        assert.deepEqual(await faultsOf({ addressee_id: viewer.user.id, visible_to_client: true, visible_to_agent: false }), ['visible_to_agent conflict']);
        const foreign = { contact_id: theirs.customer.id, session_id: theirs.session.id, interaction_id: theirs.interaction.id, addressee_id: theirs.user };
        for (const [field, id] of Object.entries(foreign)) {
            for (const one of [id, UNKNOWN]) {
                const answer = await post({ [field]: one });
                assert.deepEqual([answer.status, answer.body.detail], [404, `There is no such record: ${field}.`]);
            }
        }
        for (const id of [theirs.customer.id, UNKNOWN]) assert.equal((await agent.client.post(`/contacts/${id}/events`, { event_type: 'x', category: 'general' })).status, 404);
        assert.equal((await viewer.client.post('/contact-events', base)).status, 403);
        assert.deepEqual((await agent.client.get(`/contacts/${contact.id}/events`)).body.events.map((event: Json) => event.event_type), ['contact_created']);
    });

    test('many are written at once, each with its own answer', async () => {
        const contact = await addCustomer();
        const good = { contact_id: contact.id, event_type: 'x', category: 'general' };
        const answer = await agent.client.post('/contact-events/bulk', [good, { ...good, category: 'sales' }, { ...good, contact_id: UNKNOWN }, { ...good, visible_to_agent: false }, { ...good, title: 'Last' }]);
        assert.deepEqual([answer.status, answer.body.succeeded, answer.body.failed], [200, 2, 3]);
        assert.deepEqual(answer.body.rows.map((row: Json) => row.status), [201, 422, 404, 422, 201]);
        assert.equal((await agent.client.get(`/contact-events/${answer.body.rows[4].id}`)).body.title, 'Last');
        assert.equal((await agent.client.get(`/contacts/${contact.id}/events/count`)).body.count, 3);
    });

    test('a timeline is paged, filtered and counted, for agents and for the client', async () => {
        const contact = await addCustomer();
        const at = (day: number): string => `2026-01-${String(day).padStart(2, '0')}T00:00:00Z`;
        for (let day = 1; day <= 9; day++) {
            await write(contact, { title: `day ${day}`, occurred_at: at(day), category: day % 2 ? 'pipeline' : 'tracking', event_type: day % 3 ? 'entered_pipeline' : 'exited_pipeline', visible_to_client: day > 5, visible_to_agent: day !== 9 });
        }
        const path = `/contacts/${contact.id}/events`;
        const list = (query: string): Promise<Answer> => viewer.client.get(`${path}?${query}`);
        const all = await list('');
        assert.deepEqual([titles(all).slice(1), all.body.total, all.body.page, all.body.limit, all.body.next_cursor], [[8, 7, 6, 5, 4, 3, 2, 1].map((day) => `day ${day}`), 9, 1, 50, null]);
        assert.deepEqual(titles(await list('view=client')), ['day 9', 'day 8', 'day 7', 'day 6']);
        assert.equal((await list('view=client')).body.total, 4);
        assert.equal((await viewer.client.get(`${path}/count?view=client`)).body.count, 4);
        const second = await list('page=2&limit=4');
        assert.deepEqual([titles(second), second.body.page, second.body.limit], [['day 5', 'day 4', 'day 3', 'day 2'], 2, 4]);
        assert.deepEqual(titles(await list('limit=2&offset=3')), ['day 6', 'day 5']);
        const walked: string[] = [];
        for (let cursor = ''; ; ) {
            const page = await list(`limit=2${cursor}`);
            walked.push(...titles(page));
            assert.equal(page.body.total, 9);
            if (page.body.next_cursor === null) break;
            cursor = `&cursor=${page.body.next_cursor}`;
        }
        assert.deepEqual(walked, titles(all));
        const filtered = await list('category=pipeline&event_type=entered_pipeline');
        assert.deepEqual([titles(filtered), filtered.body.total], [['day 7', 'day 5', 'day 1'], 3]);
        assert.deepEqual(titles(await list(`from=${at(3)}&to=${at(5)}`)), ['day 4', 'day 3']);
        assert.deepEqual(titles(await list('event_type=exited_pipeline&limit=1&offset=1')), ['day 3']);
        assert.equal((await list('limit=500')).status, 200);
        assert.deepEqual(faults((await list('limit=501&category=x&view=all&colour=red')).body), ['category not_one_of', 'colour unknown_field', 'limit too_large', 'view not_one_of']);
        const table = await viewer.client.get(path, { headers: { accept: 'text/csv' } });
        assert.deepEqual([table.headers['content-type']?.slice(0, 8), table.text.trim().split('\r\n').length], ['text/csv', 10]);
        for (const id of [theirs.customer.id, UNKNOWN, 'x']) {
            for (const what of ['', '/count']) assert.equal((await viewer.client.get(`/contacts/${id}/events${what}`)).status, 404);
        }
    });

    test('a contact\'s own app sees its own timeline as the client does, and nothing else', async () => {
        const contact = await addCustomer();
        const other = await addCustomer();
        const token = await tokenOf(contact);
        const hidden = await write(contact, { title: 'hidden' });
        const shown = await write(contact, { title: 'shown', visible_to_client: true });
        const only = await write(contact, { title: 'only', visible_to_client: true, visible_to_agent: false });
        const others = await write(other, { title: 'other', visible_to_client: true });
        const list = await token.get(`/contacts/${contact.id}/events`);
        assert.deepEqual([titles(list), list.body.total], [['only', 'shown'], 2]);
        assert.deepEqual(titles(await token.get(`/contacts/${contact.id}/events?view=agent`)), ['only', 'shown']);
        assert.equal((await token.get(`/contacts/${contact.id}/events/count?view=agent`)).body.count, 2);
        assert.deepEqual((await token.get(`/contact-events/${shown.id}`)).body, shown);
        for (const id of [hidden.id, others.id, theirs.event.id, UNKNOWN]) {
            const answers = await Promise.all([token.get(`/contact-events/${id}`), token.post(`/contact-events/${id}/mark-read`), token.post(`/contact-events/${id}/mark-delivered`)]);
            assert.deepEqual(answers.map((answer) => answer.status), [404, 404, 404]);
        }
        for (const id of [other.id, theirs.customer.id, UNKNOWN]) assert.equal((await token.get(`/contacts/${id}/events`)).status, 404);
        for (const path of ['/contact-events', '/contact-events/undelivered', '/contact-events/search?q=x']) assert.equal((await token.get(path)).status, 403);
        assert.equal((await token.post(`/contacts/${contact.id}/events`, { event_type: 'x', category: 'general' })).status, 403);
        // Agents do not see what is for the client alone.
        assert.equal((await site.admin.get(`/contact-events/${only.id}`)).status, 404);

        assert.deepEqual(titles(await token.get('/contact-events/unread')), ['only', 'shown']);
        assert.deepEqual((await token.get('/contact-events/unread-count')).body, { unread: 2, capped: false });
        const delivered = await token.post(`/contact-events/${shown.id}/mark-delivered`);
        assert.deepEqual([delivered.status, delivered.body.success, delivered.body.event_id], [200, true, shown.id]);
        assert.equal((await agent.client.post(`/contact-events/${shown.id}/mark-delivered`)).status, 403);
        const upTo = await token.post(`/contacts/${contact.id}/events/mark-read-up-to`, { event_id: only.id });
        assert.deepEqual(upTo.body, { success: true, marked: 2, more: false });
        assert.deepEqual((await token.get('/contact-events/unread-count')).body, { unread: 0, capped: false });
        assert.equal((await token.post('/contact-events/mark-read-up-to', { event_id: hidden.id })).status, 404);
        assert.equal((await token.post(`/contact-events/${shown.id}/mark-read`)).body.read_at, (await agent.client.get(`/contact-events/${shown.id}`)).body.read_at);
        // Where it is addressed to a user, the contact's reading is no mark.
        const note = await write(contact, { addressee_id: viewer.user.id, visible_to_client: true });
        assert.equal((await token.post(`/contact-events/${note.id}/mark-read`)).status, 403);
    });

    test('after a merge the timeline is the other\'s, by either id', async () => {
        const [left, gone] = [await addCustomer(), await addCustomer()];
        await write(gone, { title: 'before', occurred_at: '2026-01-01T00:00:00Z' });
        const session = (await agent.client.post('/sessions', { customer_id: gone.id })).body;
        assert.equal((await site.admin.post(`/customers/${left.id}/merge`, { merged_id: gone.id })).status, 200);
        const after = await write(gone, { title: 'after', session_id: session.id, occurred_at: '2026-01-02T00:00:00Z' });
        assert.deepEqual([after.contact_id, after.contact_name], [left.id, left.name]);
        for (const id of [left.id, gone.id]) {
            const list = (await viewer.client.get(`/contacts/${id}/events?event_type=webhook_received`)).body;
            // The contact stays as it was written.
            assert.deepEqual(list.events.map((event: Json) => [event.title, event.contact_id]), [['after', left.id], ['before', gone.id]]);
            const all = (await viewer.client.get(`/contacts/${id}/events`)).body;
            assert.equal(all.total, all.events.length);
            assert.equal((await viewer.client.get(`/contact-events/search?q=before&contact_id=${id}`)).body.total, 1);
        }
    });

    test('a session\'s events come oldest first', async () => {
        const contact = await addCustomer();
        const session = (await agent.client.post('/sessions', { customer_id: contact.id, started_at: '2026-01-01T14:30:00Z' })).body;
        for (const [minute, title] of [[32, 'Tag Added: urgent'], [31, 'Agent Assigned'], [35, 'Note Added']] as const)
            await write(contact, { session_id: session.id, title, occurred_at: `2026-01-01T14:${minute}:00Z` });
        await agent.client.put(`/sessions/${session.id}/end`, { ended_at: '2026-01-01T14:45:00Z' });
        await write(contact, { session_id: session.id, title: 'for the client', visible_to_client: true, visible_to_agent: false });
        const path = `/sessions/${session.id}/events`;
        const all = await viewer.client.get(path);
        const expected = ['Session started', 'Agent Assigned', 'Tag Added: urgent', 'Note Added', 'Session ended'];
        assert.deepEqual([titles(all), all.body.total], [expected, 5]);
        const first = await viewer.client.get(`${path}?limit=3`);
        assert.deepEqual(titles(first), expected.slice(0, 3));
        assert.deepEqual(titles(await viewer.client.get(`${path}?limit=3&cursor=${first.body.next_cursor}`)), expected.slice(3));
        assert.deepEqual(titles(await viewer.client.get(`${path}?limit=2&page=2`)), expected.slice(2, 4));
        for (const id of [theirs.session.id, UNKNOWN]) assert.equal((await viewer.client.get(`/sessions/${id}/events`)).status, 404);
    });

    test('a tenant\'s events by type, by category, and in the audit\'s order', async () => {
        const contact = await addCustomer();
        for (let day = 1; day <= 3; day++) await write(contact, { title: `t${day}`, event_type: 'campaign_seen', category: day === 2 ? 'notification' : 'pipeline', occurred_at: `2026-02-0${day}T00:00:00Z` });
        const list = (query: string, client = viewer.client): Promise<Answer> => client.get(`/contact-events${query}`);
        const typed = await list('?event_type=campaign_seen');
        assert.deepEqual([titles(typed), typed.body.total], [['t3', 't2', 't1'], 3]);
        assert.deepEqual(titles(await list('?event_type=campaign_seen&since=2026-02-02T00:00:00Z')), ['t3', 't2']);
        assert.deepEqual(titles(await list('?event_type=campaign_seen&category=pipeline')), ['t3', 't1']);
        assert.deepEqual(titles(await list('?category=notification&since=2026-02-02T00:00:00Z&until=2026-02-02T00:00:01Z')), ['t2']);
        assert.deepEqual(faults((await list('?since=2026-02-02T00:00:00Z')).body), ['since conflict']);
        // Events of other records are for admins.
        assert.ok((await list('?event_type=user_invited', site.admin)).body.total >= 2);
        for (const client of [viewer.client, agent.client]) {
            const answer = await list('?event_type=user_invited', client);
            assert.deepEqual([answer.body.events, answer.body.total], [[], 0]);
        }
        const invited = (await list('?event_type=user_invited', site.admin)).body.events[0];
        assert.equal(invited.subject_type, 'user');
        assert.equal((await viewer.client.get(`/contact-events/${invited.id}`)).status, 404);
        assert.equal((await site.admin.get(`/contact-events/${invited.id}`)).status, 200);
        assert.deepEqual((await list('?event_type=webhook_received', stranger)).body.total, 1);

        // What was written last is sealed last: also where it says that it occurred long ago. (On
        // PostgreSQL the seal follows the commit.)
        const last = await write(contact, { title: 'sealed last', occurred_at: '2000-01-01T00:00:00Z' });
        let audit = await list('?limit=4', site.admin);
        while (audit.body.events[0].id !== last.id) audit = await list('?limit=4', site.admin);
        assert.deepEqual(titles(audit), ['sealed last', 't3', 't2', 't1']);
        const seen = new Set<string>();
        let pages = 0;
        for (let cursor = ''; ; pages++) {
            const page = await list(`?limit=7${cursor}`, site.admin);
            for (const event of page.body.events) {
                assert.ok(!seen.has(event.id));
                seen.add(event.id);
            }
            if (page.body.next_cursor === null) break;
            cursor = `&cursor=${page.body.next_cursor}`;
        }
        assert.equal(seen.size, (await list('?limit=1', site.admin)).body.total);
        assert.ok(pages > 2);
        const ofViewer = await list('?limit=500');
        assert.ok(ofViewer.body.events.every((event: Json) => event.contact_id !== null));
        assert.ok(ofViewer.body.total < seen.size);
    });

    test('realtime events are undelivered until their addressee says so', async () => {
        const contact = await addCustomer();
        const mine = await write(contact, { title: 'mine', is_realtime: true, addressee_id: viewer.user.id });
        await write(contact, { title: 'plain', addressee_id: viewer.user.id });
        await write(contact, { title: 'nobody', is_realtime: true });
        const theirOwn = await write(contact, { title: 'theirs', is_realtime: true, visible_to_client: true });
        const list = async (): Promise<string[]> => titles(await agent.client.get(`/contact-events/undelivered?contact_id=${contact.id}`));
        assert.deepEqual(await list(), ['theirs', 'mine']);
        assert.deepEqual(titles(await agent.client.get('/contact-events/undelivered?limit=2')), ['theirs', 'mine']);
        for (const id of [theirs.customer.id, UNKNOWN]) assert.equal((await agent.client.get(`/contact-events/undelivered?contact_id=${id}`)).status, 404);
        for (const client of [agent.client, site.admin]) assert.equal((await client.post(`/contact-events/${mine.id}/mark-delivered`)).status, 403);
        const first = await viewer.client.post(`/contact-events/${mine.id}/mark-delivered`);
        assert.deepEqual([first.status, first.body.success, first.body.event_id], [200, true, mine.id]);
        assert.deepEqual((await viewer.client.post(`/contact-events/${mine.id}/mark-delivered`)).body, first.body);
        const after = (await viewer.client.get(`/contact-events/${mine.id}`)).body;
        assert.deepEqual([after.delivered, after.delivered_at, after.read], [true, first.body.delivered_at, false]);
        assert.deepEqual(await list(), ['theirs']);
        assert.equal((await (await tokenOf(contact)).post(`/contact-events/${theirOwn.id}/mark-read`)).status, 200);
        const read = (await viewer.client.get(`/contact-events/${theirOwn.id}`)).body;
        assert.deepEqual([read.delivered, read.delivered_at], [true, read.read_at]); // read is delivered
        assert.deepEqual(await list(), []);
        for (const id of [theirs.event.id, UNKNOWN]) {
            for (const mark of ['mark-delivered', 'mark-read']) assert.equal((await viewer.client.post(`/contact-events/${id}/${mark}`)).status, 404);
        }
    });

    test('only the addressee\'s reading counts; others\' is kept apart', async () => {
        const reader = await addPerson(site.admin, 'viewer');
        const contact = await addCustomer();
        const other = await addCustomer();
        const of = (title: string, day: number, on = contact): Promise<Json> => write(on, { title, addressee_id: reader.user.id, occurred_at: `2026-03-0${day}T00:00:00Z` });
        const events = [await of('one', 1), await of('two', 2), await of('three', 3), await of('four', 4, other), await of('five', 5), await of('six', 6)];
        const free = await write(contact, { title: 'free', occurred_at: '2026-03-07T00:00:00Z' });
        const unread = async (): Promise<string[]> => {
            const list = await reader.client.get('/contact-events/unread');
            assert.deepEqual((await reader.client.get('/contact-events/unread-count')).body, { unread: list.body.total, capped: false });
            assert.equal(list.body.total, list.body.events.length);
            return titles(list);
        };
        assert.deepEqual(await unread(), ['six', 'five', 'four', 'three', 'two', 'one']);
        const beside = await agent.client.post(`/contact-events/${events[0]!.id}/mark-read`);
        assert.deepEqual([beside.status, beside.body.success, beside.body.event_id], [200, true, events[0]!.id]);
        assert.deepEqual((await agent.client.post(`/contact-events/${events[0]!.id}/mark-read`)).body, beside.body);
        assert.equal((await agent.client.get(`/contact-events/${events[0]!.id}`)).body.read, false);
        assert.equal((await unread()).length, 6);
        const own = await reader.client.post(`/contact-events/${events[1]!.id}/mark-read`);
        assert.deepEqual((await reader.client.post(`/contact-events/${events[1]!.id}/mark-read`)).body, own.body);
        const after = (await agent.client.get(`/contact-events/${events[1]!.id}`)).body;
        assert.deepEqual([after.read, after.read_at, after.delivered], [true, own.body.read_at, false]);
        assert.deepEqual(await unread(), ['six', 'five', 'four', 'three', 'one']);

        const many = await reader.client.post('/contact-events/mark-read', { event_ids: [events[0]!.id, events[1]!.id, free.id] });
        assert.deepEqual(many.body, { success: true, marked: 2, more: false });
        const wrong = await reader.client.post('/contact-events/mark-read', { event_ids: [events[5]!.id, theirs.event.id] });
        assert.deepEqual([wrong.status, wrong.body.detail], [404, 'There is no such record: event_ids[1].']);
        assert.deepEqual(faults((await reader.client.post('/contact-events/mark-read', { event_ids: [] })).body), ['event_ids too_short']);
        assert.deepEqual(faults((await reader.client.post('/contact-events/mark-read', { event_ids: [UNKNOWN, UNKNOWN] })).body), ['event_ids[1] repeated']);
        assert.deepEqual(await unread(), ['six', 'five', 'four', 'three']);

        // Up to and including, on one timeline, then everywhere; an event of anybody is a place.
        const upTo = (path: string, id: string): Promise<Answer> => reader.client.post(`${path}/mark-read-up-to`, { event_id: id });
        assert.equal((await upTo(`/contacts/${contact.id}/events`, events[3]!.id)).status, 404);
        for (const id of [theirs.event.id, UNKNOWN]) assert.equal((await upTo('/contact-events', id)).status, 404);
        assert.equal((await upTo(`/contacts/${theirs.customer.id}/events`, events[0]!.id)).status, 404);
        assert.deepEqual((await upTo(`/contacts/${contact.id}/events`, events[4]!.id)).body, { success: true, marked: 2, more: false });
        assert.deepEqual(await unread(), ['six', 'four']);
        assert.deepEqual((await upTo('/contact-events', events[3]!.id)).body.marked, 1);
        assert.deepEqual(await unread(), ['six']);
        assert.deepEqual((await upTo('/contact-events', free.id)).body.marked, 1);
        assert.deepEqual((await upTo('/contact-events', free.id)).body.marked, 0);
        assert.deepEqual(await unread(), []);
    });

    test('what people and systems wrote is found by its words', async () => {
        const contact = await addCustomer();
        const other = await addCustomer();
        await write(contact, { title: 'Facturación électronique', description: 'Rechnung über 東京都 bezahlt', occurred_at: '2026-04-01T00:00:00Z' });
        await write(other, { title: 'FACTURACION again', category: 'pipeline', occurred_at: '2026-04-02T00:00:00Z' });
        const note = (await agent.client.post(`/customers/${other.id}/notes`, { text: 'Wants a réfund' })).body;
        const find = async (query: string): Promise<string[]> => {
            const answer = await viewer.client.get(`/contact-events/search?${query}`);
            assert.equal(answer.status, 200, answer.text);
            assert.equal(answer.body.total, answer.body.events.length);
            return titles(answer);
        };
        assert.deepEqual(await find('q=facturaci'), ['FACTURACION again', 'Facturación électronique']);
        assert.deepEqual(await find('q=ELECTRONIQUE%20facturacion'), ['Facturación électronique']);
        assert.deepEqual(await find(`q=factu&contact_id=${other.id}`), ['FACTURACION again']);
        assert.deepEqual(await find('q=factu&category=tracking'), ['Facturación électronique']);
        assert.deepEqual(await find('q=factu&from=2026-04-02T00:00:00Z'), ['FACTURACION again']);
        assert.deepEqual(await find('q=%E4%BA%AC%E9%83%BD'), ['Facturación électronique']); // 京都
        assert.deepEqual(await find('q=refund'), ['Note added']);
        assert.deepEqual(await find('q=--'), []);
        assert.deepEqual(await find('q=nowhere'), []);
        await agent.client.patch(`/customers/${other.id}/notes/${note.id}`, { text: 'Wants nothing' });
        assert.deepEqual(await find('q=wants'), ['Note updated', 'Note added']);
        assert.equal((await stranger.get('/contact-events/search?q=facturaci')).body.total, 0);
        assert.deepEqual(faults((await viewer.client.get('/contact-events/search')).body), ['q required']);
        for (const id of [theirs.customer.id, UNKNOWN]) assert.equal((await viewer.client.get(`/contact-events/search?q=x&contact_id=${id}`)).status, 404);
    });

    test('an expired event is shown to nobody, and what has expired is deleted', async () => {
        const contact = await addCustomer();
        const session = (await agent.client.post('/sessions', { customer_id: contact.id })).body;
        const soon = Date.now() + 1500;
        const short = await write(contact, { title: 'short lived', visible_to_client: true, session_id: session.id, is_realtime: true, addressee_id: viewer.user.id, expires_at: new Date(soon).toISOString() });
        await write(contact, { title: 'long lived', expires_at: ahead(DAY), session_id: session.id });
        while (Date.now() <= soon + 5) await new Promise((resolve) => setTimeout(resolve, 50));
        // The task may have been here or not: it makes no difference.
        const list = await viewer.client.get(`/contacts/${contact.id}/events`);
        assert.deepEqual([titles(list), list.body.total], [['long lived', 'Session started', 'Contact created'], 3]);
        const paths = [`/contacts/${contact.id}/events?view=client`, `/contact-events/undelivered?contact_id=${contact.id}`, '/contact-events/search?q=short%20lived'];
        for (const path of paths) assert.deepEqual([path, titles(await viewer.client.get(path)), (await viewer.client.get(path)).body.total], [path, [], 0]);
        const ofSession = await viewer.client.get(`/sessions/${session.id}/events`);
        assert.deepEqual([titles(ofSession), ofSession.body.total], [['Session started', 'long lived'], 2]);
        assert.equal((await viewer.client.get(`/contacts/${contact.id}/events/count`)).body.count, 3);
        assert.ok(!titles(await viewer.client.get('/contact-events/unread')).includes('short lived'));
        for (const client of [viewer.client, site.admin]) assert.equal((await client.get(`/contact-events/${short.id}`)).status, 404);
        for (const mark of ['mark-read', 'mark-delivered']) assert.equal((await viewer.client.post(`/contact-events/${short.id}/${mark}`)).status, 404);

        assert.equal((await agent.client.post('/contact-events/delete-expired')).status, 403);
        assert.deepEqual((await site.admin.post('/contact-events/delete-expired', { before: '2026-01-01T00:00:00Z' })).body, { deleted: 0, more: false });
        assert.deepEqual((await site.admin.post('/contact-events/delete-expired', { before: ahead(10 * DAY) })).body, { deleted: 1, more: false });
        assert.deepEqual((await site.admin.post('/contact-events/delete-expired')).body, { deleted: 0, more: false });
        assert.deepEqual(types(await site.admin.get('/contact-events?event_type=expired_events_deleted')), ['expired_events_deleted']);
        assert.equal((await viewer.client.get(`/contacts/${contact.id}/events/count`)).body.count, 3);
        assert.equal((await site.admin.post('/contact-events/delete-expired', { before: 1 })).status, 422);
    });

    test('an event is erased, or its texts are, and the log says by whom', async () => {
        const contact = await addCustomer();
        const token = await tokenOf(contact);
        const texts = { title: 'Secret word', description: 'abracadabra', payload: { a: 1 }, metadata: { b: 2 }, visible_to_client: true };
        const first = await write(contact, texts);
        const second = await write(contact, texts);
        const find = async (): Promise<number> => (await viewer.client.get('/contact-events/search?q=abracadabra')).body.total;
        assert.equal(await find(), 2);
        await agent.client.post(`/contact-events/${first.id}/mark-read`);
        for (const client of [agent.client, token]) {
            assert.equal((await client.del(`/contact-events/${first.id}`)).status, 403);
            assert.equal((await client.post(`/contact-events/${first.id}/redact`)).status, 403);
        }
        const redacted = await site.admin.post(`/contact-events/${first.id}/redact`);
        assert.deepEqual([redacted.status, redacted.body], [200, { ...first, title: null, description: null, payload: null, metadata: null }]);
        assert.deepEqual((await site.admin.post(`/contact-events/${first.id}/redact`)).body, redacted.body);
        assert.equal(await find(), 1);
        assert.equal((await site.admin.del(`/contact-events/${second.id}`)).status, 204);
        assert.equal(await find(), 0);
        for (const [path, client] of [[`/contacts/${contact.id}/events`, viewer.client], [`/contacts/${contact.id}/events`, token]] as const) {
            const list = await client.get(path);
            assert.equal(list.body.total, list.body.events.length);
            assert.ok(!list.text.includes('Secret') && !list.text.includes(second.id));
        }
        for (const method of ['GET', 'DELETE']) assert.equal((await site.admin.request(method, `/contact-events/${second.id}`)).status, 404);
        const log = (await site.admin.get('/contact-events?category=system')).body.events.filter((event: Json) => event.subject_type === 'contact_event');
        assert.deepEqual(log.map((event: Json) => [event.event_type, event.subject_id, event.triggered_by]), [['event_erased', second.id, site.tenant.user.id], ['event_redacted', first.id, site.tenant.user.id]]);
        // What covers an erasure stays.
        assert.equal((await site.admin.del(`/contact-events/${log[0].id}`)).status, 409);
        assert.equal((await site.admin.post(`/contact-events/${log[0].id}/redact`)).status, 409);
        for (const id of [theirs.event.id, UNKNOWN]) {
            assert.equal((await site.admin.del(`/contact-events/${id}`)).status, 404);
            assert.equal((await site.admin.post(`/contact-events/${id}/redact`)).status, 404);
        }
        assert.equal((await stranger.get(`/contact-events/${theirs.event.id}`)).status, 200);
    });

    test('the answer that is kept for a repeated request loses the texts, too', async () => {
        const contact = await addCustomer();
        const texts = { event_type: 'order_shipped', category: 'tracking', title: 'Secret word', description: 'abracadabra', payload: { a: 'hush' }, metadata: { b: 'hush' } };
        const none = { title: null, description: null, payload: null, metadata: null };
        for (const [name, path, fields] of [['posted', '/contact-events', { contact_id: contact.id }], ['timeline', `/contacts/${contact.id}/events`, {}]] as const) {
            const send = (key: string): Promise<Answer> => agent.client.request('POST', path, { ...fields, ...texts }, { headers: { 'idempotency-key': `${name} ${key}`.replace(' ', '-') } });
            const [redacted, erased, kept] = [await send('redacted'), await send('erased'), await send('kept')];
            for (const made of [redacted, erased, kept]) assert.equal(made.status, 201, made.text);
            assert.equal((await site.admin.post(`/contact-events/${redacted.body.id}/redact`)).status, 200);
            assert.equal((await site.admin.del(`/contact-events/${erased.body.id}`)).status, 204);
            for (const [key, made, left] of [['redacted', redacted, none], ['erased', erased, none], ['kept', kept, {}]] as const) {
                const again = await send(key);
                assert.deepEqual([again.status, again.headers['idempotent-replayed'], again.headers.location], [201, 'true', made.headers.location]);
                assert.deepEqual(again.body, { ...made.body, ...left });
            }
        }
    });

    test('every change of seed 001 writes the event that it names', async () => {
        const admin = site.admin;
        const contact = (await admin.post('/customers', { name: 'All Types' })).body;
        const at = `/customers/${contact.id}`;
        const must = async (answer: Promise<Answer>): Promise<Json> => {
            const { status, body, text } = await answer;
            assert.ok(status < 300, text);
            return body;
        };
        await must(admin.patch(at, { name: 'All The Types' }));
        await must(admin.put(`${at}/tags/vip`));
        await must(admin.del(`${at}/tags/vip`));
        const note = await must(admin.post(`${at}/notes`, { text: 'n' }));
        await must(admin.patch(`${at}/notes/${note.id}`, { text: 'm' }));
        await must(admin.del(`${at}/notes/${note.id}`));
        for (const owner_id of [agent.user.id, viewer.user.id, null]) await must(admin.put(`${at}/owner`, { owner_id }));
        await must(admin.put(`${at}/status`, { status: 'enriched' }));
        await must(admin.put(`${at}/custom-fields/tier`, { value: 'gold' }));
        await must(admin.del(`${at}/custom-fields/tier`));
        const session = await must(admin.post('/sessions', { customer_id: contact.id }));
        await must(admin.put(`/sessions/${session.id}/end`));
        const touch = await must(admin.post('/interactions', { customer_id: contact.id, type: 'note', direction: 'outbound', subject: 's', started_at: '2026-01-01T00:00:00Z' }));
        await must(admin.put(`/interactions/${touch.id}/end`, {}));
        await must(admin.put(`/interactions/${touch.id}/outcome`, { outcome: 'successful' }));
        await must(admin.put(`/interactions/${touch.id}/follow-up`, { follow_up_required: true, follow_up_date: '2026-01-02T00:00:00Z', follow_up_assignee: viewer.user.id }));
        let written: string[] = [];
        while (!written.includes('follow_up_due')) { // its task comes by every few seconds
            written = types(await admin.get(`/contacts/${contact.id}/events`));
            await new Promise((resolve) => setTimeout(resolve, 100));
        }
        assert.deepEqual(written.sort(), [
            'agent_assigned', 'agent_transferred', 'agent_unassigned', 'contact_created', 'contact_updated', 'custom_field_cleared', 'custom_field_set',
            'follow_up_due', 'follow_up_set', 'interaction_ended', 'interaction_logged', 'note_added', 'note_deleted', 'note_updated', 'outcome_set',
            'session_ended', 'session_started', 'status_changed', 'tag_added', 'tag_removed']);
        const due = (await viewer.client.get(`/contacts/${contact.id}/events?event_type=follow_up_due`)).body.events;
        assert.deepEqual(due.map((event: Json) => [event.category, event.is_realtime, event.addressee_type, event.addressee_id, event.interaction_id]),
            [['notification', true, 'user', viewer.user.id, touch.id]]);
        assert.ok((await viewer.client.get('/contact-events/unread')).body.events.some((event: Json) => event.id === due[0].id));
    });
});
