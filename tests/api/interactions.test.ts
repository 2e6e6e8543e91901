// Interactions (SPEC.md §4): the routes of seed 000 at both of their places, its rules, the
// lists against a recomputation by brute force, search, follow-ups, bulk.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Client, Json } from '../kit/client.ts';
import { addPerson, faults, invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const mounts = ['/interactions', '/customer-mgmt/interactions'];
const call = { type: 'call', direction: 'outbound', subject: 'A call', started_at: '2025-12-28T10:30:00Z' };

/** The same numbers each run, so that a failure can be seen again. */
function numbers(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
    };
}

forEachStore((store) => {
    const site = useServer(store);
    let admin: Client;
    let customer: Json;

    async function freshTenant(name: string): Promise<Client> {
        const { key } = await site.site.createTenant(name, `admin@${name.toLowerCase()}.example`);
        return site.server.client(key);
    }

    async function makeCustomer(client: Client, fields: Json = {}): Promise<Json> {
        const made = await client.post('/customers', { name: 'Jane Doe', ...fields });
        assert.equal(made.status, 201, made.text);
        return made.body;
    }

    async function log(client: Client, fields: Json = {}): Promise<Json> {
        const made = await client.post('/interactions', { customer_id: customer.id, ...call, ...fields });
        assert.equal(made.status, 201, made.text);
        return made.body;
    }

    async function list(client: Client, path: string): Promise<Json> {
        const answer = await client.get(`/interactions${path}`);
        assert.equal(answer.status, 200, answer.text);
        return answer.body;
    }

    async function ids(client: Client, path: string): Promise<string[]> {
        return (await list(client, path)).data.map((row: Json) => row.id);
    }

    before(async () => {
        admin = site.admin;
        customer = await makeCustomer(admin);
    });

    for (const mount of mounts) {
        test(`the examples of seed 000 work as printed, at ${mount}`, async () => {
            const first = await invite(admin, 'agent');
            const second = await invite(admin, 'agent');
            const made = await admin.post(mount, {
                customer_id: customer.id,
                type: 'call',
                direction: 'outbound',
                subject: 'Follow-up call about product demo',
                description: 'Called customer to discuss demo feedback',
                started_at: '2025-12-28T10:30:00Z',
            });
            assert.equal(made.status, 201, made.text);
            const at = `${mount}/${made.body.id}`;
            assert.equal(made.headers.location, `/api/v1${at}`);
            assert.equal(made.headers.etag, '"1"');
            assert.match(made.body.interaction_number, /^INT-\d{4}-\d{5,}$/);
            const { id: _id, interaction_number: _number, created_at, updated_at, created_by_name, ...rest } = made.body;
            assert.equal(created_at, updated_at);
            assert.equal(typeof created_by_name, 'string');
            assert.deepEqual(rest, {
                external_id: null, customer_id: customer.id, customer_name: 'Jane Doe', company_id: null,
                company_name: null, type: 'call', direction: 'outbound', outcome: null, channel: null,
                subject: 'Follow-up call about product demo', description: 'Called customer to discuss demo feedback',
                created_by: site.tenant.user.id, attendees: [], started_at: '2025-12-28T10:30:00Z', ended_at: null,
                duration_sec: null, follow_up_required: false, follow_up_date: null, follow_up_notes: null,
                follow_up_assignee: null, follow_up_completed_at: null, follow_up_snoozed_until: null,
                session_id: null, sentiment_label: null, sentiment_score: null, responded: false, response_at: null,
                metadata: null, location: null, project_id: null, task_id: null, parent_interaction_id: null,
                chunk_number: null, total_chunks: null, version: 1,
            });
            assert.deepEqual((await admin.get(at)).body, made.body);

            const ended = await admin.put(`${at}/end`, { ended_at: '2025-12-28T10:45:00Z' });
            assert.deepEqual([ended.status, ended.body.duration_sec, ended.body.version], [200, 900, 2]);
            const corrected = await admin.put(`${at}/end`, { ended_at: '2025-12-28T10:40:00+00:00' });
            assert.deepEqual([corrected.body.duration_sec, corrected.body.version], [600, 3]);
            const again = await admin.put(`${at}/end`, { ended_at: '2025-12-28T10:40:00Z' });
            assert.deepEqual(again.body, corrected.body); // the same effect: none
            const tooEarly = await admin.put(`${at}/end`, { ended_at: '2025-12-28T10:29:59Z' });
            assert.deepEqual([tooEarly.status, faults(tooEarly.body)], [422, ['ended_at too_small']]);

            const followUp = await admin.put(`${at}/follow-up`, {
                follow_up_required: true,
                follow_up_date: '2025-12-30T09:00:00Z',
                follow_up_notes: 'Customer requested pricing information',
            });
            assert.equal(followUp.status, 200, followUp.text);
            assert.equal(followUp.body.follow_up_date, '2025-12-30T09:00:00Z');
            assert.equal(followUp.body.follow_up_assignee, site.tenant.user.id);

            for (const user of [first, second]) {
                const added = await admin.post(`${at}/attendees`, { attendee_id: user.id });
                assert.equal(added.status, 200, added.text);
            }
            assert.deepEqual((await admin.get(at)).body.attendees, [first.id, second.id]);
            assert.equal((await admin.post(`${at}/attendees`, { attendee_id: first.id })).status, 409);
            assert.equal((await admin.del(`${at}/attendees/${first.id}`)).status, 204);
            assert.equal((await admin.del(`${at}/attendees/${first.id}`)).status, 404);
            assert.deepEqual((await admin.get(at)).body.attendees, [second.id]);

            const outcome = await admin.put(`${at}/outcome`, { outcome: 'no_answer' });
            assert.equal(outcome.body.outcome, 'no_answer');
            const content = await admin.put(`${at}/content`, { subject: 'New', description: null });
            assert.deepEqual([content.body.subject, content.body.description], ['New', null]);
            const half = await admin.put(`${at}/content`, { description: 'Only this' });
            assert.deepEqual([half.body.subject, half.body.description], ['New', 'Only this']);

            for (const path of [
                `/customer/${customer.id}?page=1&page_size=20`, '/type/call', `/created-by/${site.tenant.user.id}`,
                '/follow-ups', '', '/search?q=only',
            ]) {
                const found = await admin.get(`${mount}${path}`);
                assert.equal(found.status, 200, found.text);
                assert.ok(found.body.data.some((row: Json) => row.id === made.body.id), path);
            }
            assert.equal((await admin.post(`${at}/follow-up/snooze`, { until: '2199-01-01T00:00:00Z' })).status, 200);
            const completed = await admin.post(`${at}/follow-up/complete`);
            assert.equal(completed.status, 200, completed.text);
            assert.notEqual(completed.body.follow_up_completed_at, null);
            const patched = await admin.patch(at, { outcome: null, location: 'Berlin' });
            assert.deepEqual([patched.status, patched.body.outcome, patched.body.location], [200, null, 'Berlin']);
            assert.equal((await admin.del(at)).status, 204);
            assert.equal((await admin.get(at)).status, 404);
            assert.equal((await admin.del(at)).status, 404);
            const stale = await admin.post(`${at}/restore`, undefined, { headers: { 'if-match': '"1"' } });
            assert.equal(stale.status, 412);
            const restored = await admin.post(`${at}/restore`);
            assert.equal(restored.status, 200, restored.text);
            assert.equal(restored.body.subject, 'New');
            assert.deepEqual((await admin.post(`${at}/restore`)).body, restored.body);
            const bulk = await admin.post(`${mount}/bulk`, { rows: [{ customer_id: customer.id, ...call }] });
            assert.deepEqual([bulk.body.succeeded, bulk.body.failed], [1, 0]);
        });
    }

    test('every fault is named', async () => {
        const bad = await admin.post('/interactions', {
            customer_id: 'x', type: 'fax', direction: 'sideways', outcome: 'great', subject: '', started_at: 'today',
            ended_at: '2025-12-28', duration_sec: 5, duration_seconds: 5, follow_up_required: 'yes', attendees: ['x'],
            created_by: unknown, metadata: [], chunk_number: 0, id: unknown, sentiment_label: 'Positive',
            responded: true, subjekt: 'x', channel: 'x'.repeat(65),
        });
        assert.equal(bad.status, 422, bad.text);
        assert.deepEqual(faults(bad.body), [
            'attendees[0] bad_format', 'channel too_long', 'chunk_number too_small', 'created_by read_only',
            'customer_id bad_format', 'direction not_one_of', 'duration_sec read_only', 'duration_seconds read_only',
            'ended_at bad_format', 'follow_up_required wrong_type', 'id read_only', 'metadata wrong_type',
            'outcome not_one_of', 'responded read_only', 'sentiment_label read_only', 'started_at bad_format',
            'subject too_short', 'subjekt unknown_field', 'type not_one_of',
        ]);
        const empty = await admin.post('/interactions', {});
        assert.deepEqual(faults(empty.body), [
            'customer_id required', 'direction required', 'started_at required', 'subject required', 'type required',
        ]);
        const made = await log(admin);
        const at = `/interactions/${made.id}`;
        for (const [fields, fault] of [
            [{ subject: 'x'.repeat(256) }, 'subject too_long'],
            [{ subject: 'two\nlines' }, 'subject bad_format'],
            [{ ended_at: '2025-12-28T10:29:59.999Z' }, 'ended_at too_small'],
            [{ attendees: [unknown, unknown] }, 'attendees[1] repeated'],
            [{ description: 'x'.repeat(10241) }, 'description too_long'],
        ] as const) {
            const answer = await admin.post('/interactions', { customer_id: customer.id, ...call, ...fields });
            assert.deepEqual([answer.status, faults(answer.body)], [422, [fault]], answer.text);
            const patched = await admin.patch(at, fields);
            assert.deepEqual([patched.status, faults(patched.body)], [422, [fault]], patched.text);
        }
        assert.equal((await log(admin, { subject: '🎈'.repeat(255) })).subject, '🎈'.repeat(255));
        for (const [fields, fault] of [
            [{ customer_id: customer.id }, 'customer_id immutable'],
            [{ external_id: 'x' }, 'external_id immutable'],
            [{ type: null }, 'type not_nullable'],
            [{ subject: null }, 'subject not_nullable'],
            [{ duration_seconds: 5 }, 'duration_seconds read_only'],
        ] as const) {
            const patched = await admin.patch(at, fields);
            assert.deepEqual([patched.status, faults(patched.body)], [422, [fault]], patched.text);
        }
        for (const [path, body, fault] of [
            ['outcome', {}, 'outcome required'],
            ['outcome', { outcome: 'x' }, 'outcome not_one_of'],
            ['follow-up', {}, 'follow_up_required required'],
            ['content', { subject: '', body: '' }, 'body unknown_field,subject too_short'],
            ['end', { ended_at: 5 }, 'ended_at wrong_type'],
        ] as const) {
            const answer = await admin.put(`${at}/${path}`, body);
            assert.deepEqual([answer.status, faults(answer.body).join()], [422, fault], answer.text);
        }
        assert.deepEqual(faults((await admin.post(`${at}/attendees`, {})).body), ['attendee_id required']);
        assert.deepEqual(faults((await admin.post(`${at}/follow-up/snooze`, {})).body), ['until required']);
        assert.deepEqual(faults((await admin.get('/interactions?type=fax&from=x&frm=1&customer_id=1')).body), [
            'customer_id bad_format', 'frm unknown_field', 'from bad_format', 'type not_one_of',
        ]);
        assert.deepEqual(faults((await admin.get('/interactions/search')).body), ['q required']);
        assert.deepEqual(faults((await admin.get('/interactions/type/fax')).body), ['type not_one_of']);
        assert.equal((await admin.post('/interactions', '{"customer_id":')).status, 400);
        assert.deepEqual((await admin.get(at)).body, made);
    });

    test('ids are of this tenant', async () => {
        const stranger = await freshTenant('Strangers');
        const theirs = {
            customer: await makeCustomer(stranger),
            company: (await stranger.post('/companies', { name: 'Elsewhere' })).body,
            user: await invite(stranger, 'agent'),
        };
        const session = (await stranger.post('/sessions', { customer_id: theirs.customer.id })).body;
        const interaction = (await stranger.post('/interactions', { customer_id: theirs.customer.id, ...call })).body;
        const mine = await log(admin);
        for (const [foreign, fields] of [
            [theirs.customer.id, (id: string) => ({ customer_id: id })],
            [theirs.company.id, (id: string) => ({ company_id: id })],
            [theirs.user.id, (id: string) => ({ attendees: [id] })],
            [theirs.user.id, (id: string) => ({ follow_up_assignee: id })],
            [session.id, (id: string) => ({ session_id: id })],
            [interaction.id, (id: string) => ({ parent_interaction_id: id, chunk_number: 2, total_chunks: 3 })],
        ] as const) {
            for (const id of [foreign, unknown]) {
                const name = Object.keys(fields(id))[0]!;
                const made = await admin.post('/interactions', { customer_id: customer.id, ...call, ...fields(id) });
                assert.equal(made.status, 404, made.text);
                assert.equal(made.body.detail, `There is no such record: ${name}.`);
                if (name === 'customer_id' || name === 'parent_interaction_id') continue;
                const patched = await admin.patch(`/interactions/${mine.id}`, fields(id));
                assert.equal(patched.status, 404, patched.text);
                assert.equal(patched.body.detail, `There is no such record: ${name}.`);
            }
        }
        for (const id of [interaction.id, unknown, 'x']) {
            for (const answer of [
                await admin.get(`/interactions/${id}`),
                await admin.patch(`/interactions/${id}`, { subject: 'x' }),
                await admin.put(`/interactions/${id}/end`, {}),
                await admin.post(`/interactions/${id}/restore`),
                await admin.del(`/interactions/${id}`),
            ]) {
                assert.deepEqual([answer.status, answer.body.detail], [404, 'There is no such record.']);
            }
        }
        for (const path of [
            `customer/${theirs.customer.id}`, `company/${theirs.company.id}`, `created-by/${theirs.user.id}`,
            `customer/${unknown}`, `company/${unknown}`, `created-by/${unknown}`,
        ]) {
            assert.equal((await admin.get(`/interactions/${path}`)).status, 404, path);
        }
        const sent = await admin.post(`/interactions/${mine.id}/attendees`, { attendee_id: theirs.user.id });
        assert.deepEqual([sent.status, sent.body.detail], [404, 'There is no such record: attendee_id.']);
        assert.deepEqual(await ids(stranger, ''), [interaction.id]);
        assert.deepEqual(await ids(stranger, '/search?q=call'), [interaction.id]);
        assert.equal((await list(stranger, '/search?q=call')).total, 1);
        assert.deepEqual(await ids(stranger, `?customer_id=${customer.id}`), []);
        assert.deepEqual((await admin.get(`/interactions/${mine.id}`)).body, mine);
    });

    test('other families spell types otherwise; here they come back by their names', async () => {
        assert.equal((await log(admin, { type: 'voice_call' })).type, 'call');
        assert.equal((await log(admin, { type: 'phone' })).type, 'call');
        const linked = await log(admin, { type: 'linkedin' });
        assert.deepEqual([linked.type, linked.channel], ['social_media', 'linkedin']);
        const own = await log(admin, { type: 'linkedin', channel: 'sales navigator' });
        assert.deepEqual([own.type, own.channel], ['social_media', 'sales navigator']);
        const patched = await admin.patch(`/interactions/${own.id}`, { type: 'linkedin' });
        assert.deepEqual([patched.body.type, patched.body.channel], ['social_media', 'linkedin']);
        assert.deepEqual((await ids(admin, '/type/linkedin')).sort(), [linked.id, own.id].sort());
        assert.deepEqual((await ids(admin, '?type=linkedin&channel=linkedin')).sort(), [linked.id, own.id].sort());
        assert.deepEqual(await ids(admin, '?type=linkedin&channel=phone'), []);
        assert.equal((await list(admin, '/type/voice_call')).total, (await list(admin, '/type/call')).total);
    });

    test('what is given comes back, and defaults come from the customer', async () => {
        const company = (await admin.post('/companies', { name: 'Defaults GmbH' })).body;
        const other = (await admin.post('/companies', { name: 'Other AG' })).body;
        const owner = await makeCustomer(admin, { name: 'Olga', company_id: company.id });
        const session = (await admin.post('/sessions', { customer_id: owner.id })).body;
        const attendee = await invite(admin, 'viewer');
        const given = {
            customer_id: owner.id, external_id: 'own/1', type: 'meeting', direction: 'inbound', outcome: 'scheduled',
            channel: 'zoom', subject: 'Kick-off', description: 'Two\nlines\tand a tab', attendees: [attendee.id],
            started_at: '2025-12-28T10:30:00.25Z', ended_at: '2025-12-28T11:30:00.1Z', session_id: session.id,
            metadata: { a: { b: [1, null] } }, location: 'Room 1', project_id: 'P-1', task_id: 'T-1', total_chunks: 3,
            follow_up_required: true, follow_up_notes: 'Send the offer', follow_up_assignee: attendee.id,
        };
        const made = await admin.post('/interactions', given);
        assert.equal(made.status, 201, made.text);
        for (const [name, value] of Object.entries(given)) assert.deepEqual(made.body[name], value, name);
        assert.deepEqual([made.body.company_id, made.body.company_name], [company.id, 'Defaults GmbH']);
        assert.equal(made.body.duration_sec, 3600); // by whole seconds of both
        const at = `/interactions/${made.body.id}`;
        assert.deepEqual((await admin.get(at)).body, made.body);
        assert.equal((await admin.post('/interactions', given)).status, 409);
        const patched = await admin.patch(at, { company_id: other.id, metadata: { a: { c: 1 } } });
        assert.deepEqual([patched.body.company_name, patched.body.metadata], ['Other AG', { a: { b: [1, null], c: 1 } }]);
        assert.deepEqual(await ids(admin, `/company/${company.id}`), []);
        assert.deepEqual((await list(admin, `/company/${other.id}`)).total, 1);
        const cleared = await admin.patch(at, { company_id: null, session_id: null, attendees: [], metadata: null });
        assert.deepEqual(
            [cleared.body.company_name, cleared.body.session_id, cleared.body.attendees, cleared.body.metadata],
            [null, null, [], null],
        );
        assert.deepEqual((await admin.get(at)).body, cleared.body);
        assert.equal((await list(admin, `?session_id=${session.id}`)).total, 0);
        const elsewhere = await admin.post('/interactions', { customer_id: customer.id, ...call, session_id: session.id });
        assert.equal(elsewhere.status, 404, elsewhere.text);
    });

    test('If-Match guards against lost updates', async () => {
        const { id } = await log(admin);
        const at = `/interactions/${id}`;
        const stale = { headers: { 'if-match': '"7"' } };
        const fresh = { headers: { 'if-match': '"1"' } };
        for (const answer of [
            await admin.patch(at, { subject: 'x' }, stale),
            await admin.put(`${at}/content`, { subject: 'x' }, stale),
            await admin.put(`${at}/outcome`, { outcome: 'busy' }, stale),
            await admin.put(`${at}/end`, {}, stale),
            await admin.put(`${at}/follow-up`, { follow_up_required: true }, stale),
            await admin.post(`${at}/follow-up/complete`, undefined, stale),
            await admin.post(`${at}/follow-up/snooze`, { until: '2199-01-01T00:00:00Z' }, stale),
            await admin.post(`${at}/attendees`, { attendee_id: site.tenant.user.id }, stale),
            await admin.del(`${at}/attendees/${unknown}`, stale),
            await admin.del(at, stale),
        ]) {
            assert.equal(answer.status, 412, answer.text);
        }
        const patched = await admin.patch(at, { subject: 'Mine' }, fresh);
        assert.deepEqual([patched.status, patched.headers.etag], [200, '"2"']);
        assert.equal((await admin.patch(at, { subject: 'Late' }, fresh)).status, 412);
        const nothing = await admin.patch(at, { subject: 'Mine' });
        assert.deepEqual(nothing.body, patched.body); // nothing changes: no new version
    });

    test('chunks name their primary and have numbers of their own', async () => {
        const primary = await log(admin, { total_chunks: 3, chunk_number: 1 });
        const chunk = { parent_interaction_id: primary.id };
        const second = await log(admin, { ...chunk, chunk_number: 2, total_chunks: 3 });
        const stranger = await makeCustomer(admin, { name: 'Other' });
        for (const [fields, status, fault] of [
            [{ ...chunk, chunk_number: 2 }, 409, ''],
            [{ ...chunk, chunk_number: 1 }, 409, ''],
            [{ ...chunk, chunk_number: 4 }, 422, 'chunk_number too_large'],
            [{ ...chunk }, 422, 'chunk_number required'],
            [{ ...chunk, chunk_number: 3, total_chunks: 4 }, 422, 'total_chunks mismatch'],
            [{ ...chunk, chunk_number: 3, customer_id: stranger.id }, 422, 'parent_interaction_id mismatch'],
            [{ parent_interaction_id: second.id, chunk_number: 3 }, 422, 'parent_interaction_id not_primary'],
            [{ chunk_number: 3, total_chunks: 2 }, 422, 'chunk_number too_large'],
        ] as const) {
            const answer = await admin.post('/interactions', { customer_id: customer.id, ...call, ...fields });
            assert.deepEqual([answer.status, faults(answer.body).join()], [status, fault], answer.text);
        }
        assert.equal((await admin.del(`/interactions/${primary.id}`)).status, 409);
        assert.equal((await admin.del(`/interactions/${second.id}`)).status, 204);
        const instead = await log(admin, { ...chunk, chunk_number: 2 });
        assert.equal((await admin.post(`/interactions/${second.id}/restore`)).status, 409);
        assert.equal((await admin.del(`/interactions/${instead.id}`)).status, 204);
        assert.equal((await admin.del(`/interactions/${primary.id}`)).status, 204);
        assert.equal((await admin.post(`/interactions/${second.id}/restore`)).status, 409);
        assert.equal((await admin.post(`/interactions/${primary.id}/restore`)).status, 200);
        assert.equal((await admin.post(`/interactions/${second.id}/restore`)).status, 200);
    });

    test('the customer’s summary follows every change', async () => {
        const lead = await makeCustomer(admin, { name: 'Lead' });
        const summary = async () => {
            const { last_contacted_at, last_contact_method, contact_count, last_response_at, status, version } = (
                await admin.get(`/customers/${lead.id}`)
            ).body;
            assert.equal(version, 1);
            return [last_contacted_at, last_contact_method, contact_count, last_response_at, status];
        };
        const one = await log(admin, { customer_id: lead.id, started_at: '2025-01-01T00:00:00Z' });
        const two = await log(admin, { customer_id: lead.id, type: 'email', started_at: '2025-02-01T00:00:00Z' });
        await log(admin, { customer_id: lead.id, type: 'note', started_at: '2025-03-01T00:00:00Z' });
        await log(admin, { customer_id: lead.id, type: 'system', started_at: '2025-03-01T00:00:00Z' });
        await log(admin, { customer_id: lead.id, type: 'meeting', started_at: '2199-03-01T00:00:00Z' });
        assert.deepEqual(await summary(), ['2025-02-01T00:00:00Z', 'email', 2, null, 'contacted']);
        await log(admin, { customer_id: lead.id, direction: 'inbound', started_at: '2025-02-02T00:00:00Z' });
        assert.deepEqual(await summary(), ['2025-02-01T00:00:00Z', 'email', 2, '2025-02-02T00:00:00Z', 'conversing']);
        await admin.del(`/interactions/${two.id}`);
        assert.deepEqual(await summary(), ['2025-01-01T00:00:00Z', 'call', 1, '2025-02-02T00:00:00Z', 'conversing']);
        await admin.post(`/interactions/${two.id}/restore`);
        await admin.patch(`/interactions/${one.id}`, { started_at: '2025-02-03T00:00:00Z', type: 'chat' });
        assert.deepEqual(await summary(), ['2025-02-03T00:00:00Z', 'chat', 2, '2025-02-02T00:00:00Z', 'conversing']);
        await admin.patch(`/interactions/${one.id}`, { type: 'note' });
        assert.deepEqual(await summary(), ['2025-02-01T00:00:00Z', 'email', 1, '2025-02-02T00:00:00Z', 'conversing']);
        await admin.patch(`/interactions/${one.id}`, { type: 'call', direction: 'inbound' });
        assert.deepEqual(await summary(), ['2025-02-01T00:00:00Z', 'email', 1, '2025-02-03T00:00:00Z', 'conversing']);
    });

    test('follow-ups list by bucket, and are completed and snoozed', async () => {
        const boss = await freshTenant('Buckets');
        const person = await makeCustomer(boss);
        const { user: me, client } = await addPerson(boss, 'agent', { timezone: 'Pacific/Auckland' });
        const due = async (subject: string, follow_up_date: string | null) =>
            (await client.post('/interactions', {
                customer_id: person.id, ...call, subject, follow_up_required: true, follow_up_date,
            })).body;
        const subjects = async (path: string) => {
            const answer = await list(client, `/follow-ups${path}`);
            assert.equal(answer.total, answer.data.length);
            return answer.data.map((row: Json) => row.subject);
        };
        const day = 86_400_000;
        const at = (offset: number) => new Date(Date.now() + offset).toISOString();
        const overdue = await due('overdue', at(-2 * day));
        await due('undated', null);
        await due('upcoming', at(2 * day));
        const today = await due('today', at(1000)); // a second's race with midnight in Auckland
        assert.equal(overdue.follow_up_assignee, me.id);
        assert.deepEqual(await subjects(''), ['overdue', 'today', 'upcoming', 'undated']);
        for (const bucket of ['overdue', 'today', 'upcoming', 'undated']) {
            assert.deepEqual(await subjects(`?bucket=${bucket}`), [bucket]);
            assert.deepEqual(await subjects(`?bucket=${bucket}&assignee=${me.id}`), [bucket]);
            assert.deepEqual(await subjects(`?bucket=${bucket}&assignee=${unknown}`), []);
        }
        assert.deepEqual(faults((await client.get('/interactions/follow-ups?bucket=later')).body), ['bucket not_one_of']);
        const pages: string[] = [];
        for (let cursor = ''; ; ) {
            const page = await list(client, `/follow-ups?limit=1${cursor}`);
            pages.push(...page.data.map((row: Json) => row.subject));
            if (page.next_cursor === null) break;
            cursor = `&cursor=${page.next_cursor}`;
        }
        assert.deepEqual(pages, ['overdue', 'today', 'upcoming', 'undated']);

        const snooze = (id: string, until: string) => client.post(`/interactions/${id}/follow-up/snooze`, { until });
        assert.equal((await snooze(overdue.id, at(3 * day))).status, 200);
        assert.deepEqual(await subjects('?bucket=upcoming'), ['upcoming', 'overdue']);
        assert.deepEqual(faults((await snooze(overdue.id, at(-day))).body), ['until too_small']);
        const done = await client.post(`/interactions/${overdue.id}/follow-up/complete`);
        assert.equal(done.status, 200, done.text);
        assert.deepEqual((await client.post(`/interactions/${overdue.id}/follow-up/complete`)).body, done.body);
        assert.equal((await snooze(overdue.id, at(day))).status, 409);
        assert.deepEqual(await subjects(`?assignee=${me.id}`), ['today', 'upcoming', 'undated']);
        assert.equal((await client.del(`/interactions/${today.id}`)).status, 204);
        assert.deepEqual(await subjects(''), ['upcoming', 'undated']);
        await client.post(`/interactions/${today.id}/restore`);
        const again = await client.put(`/interactions/${overdue.id}/follow-up`, {
            follow_up_required: true, follow_up_date: at(-day * 2),
        });
        assert.deepEqual([again.body.follow_up_completed_at, again.body.follow_up_snoozed_until], [null, null]);
        assert.deepEqual(await subjects(''), ['overdue', 'today', 'upcoming', 'undated']);
        await client.put(`/interactions/${overdue.id}/follow-up`, { follow_up_required: false });
        assert.equal((await client.post(`/interactions/${overdue.id}/follow-up/complete`)).status, 409);
        assert.deepEqual(await subjects(`?assignee=${me.id}`), ['today', 'upcoming', 'undated']);

        const heir = await invite(boss, 'agent');
        const left = await boss.post(`/users/${me.id}/deactivate`, { reassign_to: heir.id });
        assert.equal(left.status, 200, left.text);
        assert.equal((await list(boss, `/follow-ups?assignee=${me.id}`)).total, 0);
        assert.equal((await list(boss, `/follow-ups?assignee=${heir.id}`)).total, 3);
        assert.equal((await list(boss, '/follow-ups')).total, 3);
    });

    test('combined filters agree with a recomputation, page by page', async () => {
        const boss = await freshTenant('Filters');
        const pick = numbers(7);
        const any = <T>(values: readonly T[]): T => values[pick(values.length)]!;
        const companies = [];
        for (const name of ['A', 'B']) companies.push((await boss.post('/companies', { name })).body.id);
        const customers: Json[] = [];
        for (const company_id of [null, ...companies]) customers.push(await makeCustomer(boss, { company_id }));
        const sessions: string[] = [];
        for (const one of customers) sessions.push((await boss.post('/sessions', { customer_id: one.id })).body.id);
        const people = [boss, (await addPerson(boss, 'agent')).client];
        const all: Json[] = [];
        for (let batch = 0; batch < 6; batch++) {
            const rows = Array.from({ length: 50 }, () => {
                const n = pick(customers.length);
                return {
                    customer_id: customers[n]!.id,
                    type: any(['call', 'email', 'meeting', 'note']),
                    direction: any(['inbound', 'outbound']),
                    outcome: any([null, 'successful', 'busy']),
                    channel: any([null, 'phone', 'web']),
                    session_id: any([null, sessions[n]]),
                    subject: any(['Demo call', 'Pricing talk', 'Ärger mit Rechnung']),
                    description: any([null, 'pricing sheet sent', 'asked for a demo']),
                    // Many at the same instant, so that ids decide.
                    started_at: `2025-06-${String(1 + pick(5)).padStart(2, '0')}T12:00:00Z`,
                };
            });
            const made = await people[batch % 2]!.post('/interactions/bulk', rows);
            assert.equal(made.body.failed, 0, made.text);
            for (const { id } of made.body.rows) all.push((await boss.get(`/interactions/${id}`)).body);
        }
        const gone = all.splice(17, 5);
        for (const { id } of gone) assert.equal((await boss.del(`/interactions/${id}`)).status, 204);
        all.sort((a, b) => (a.started_at === b.started_at ? (a.id < b.id ? 1 : -1) : a.started_at < b.started_at ? 1 : -1));

        const words = (row: Json) => `${row.subject} ${row.description ?? ''}`.toLowerCase().split(' ');
        const tests: Record<string, [readonly string[], (row: Json, value: string) => boolean]> = {
            customer_id: [customers.map((one) => one.id), (row, value) => row.customer_id === value],
            company_id: [companies, (row, value) => row.company_id === value],
            created_by: [[...new Set(all.map((row) => row.created_by))], (row, value) => row.created_by === value],
            session_id: [sessions, (row, value) => row.session_id === value],
            type: [['call', 'email', 'meeting', 'note', 'push'], (row, value) => row.type === value],
            direction: [['inbound', 'outbound'], (row, value) => row.direction === value],
            outcome: [['successful', 'busy'], (row, value) => row.outcome === value],
            channel: [['phone', 'web'], (row, value) => row.channel === value],
            sentiment: [['Positive'], () => false],
            from: [['2025-06-02T12:00:00Z', '2025-06-03T00:00:00Z'], (row, value) => row.started_at >= value],
            to: [['2025-06-04T12:00:00Z', '2025-06-05T00:00:00Z'], (row, value) => row.started_at < value],
            q: [['demo', 'pri', 'demo call', 'ärg'], (row, value) => {
                const asked = value.split(' ');
                return asked.every((word, i) =>
                    words(row).some((one) => (i === asked.length - 1 ? one.startsWith(word) : one === word)));
            }],
        };
        for (let round = 0; round < 60; round++) {
            const chosen = Object.keys(tests).filter(() => pick(5) === 0).map((name) => [name, any(tests[name]![0])] as const);
            const query = chosen.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
            const expected = all.filter((row) => chosen.every(([name, value]) => tests[name]![1](row, value)));
            const found: Json[] = [];
            const limit = 1 + pick(120);
            for (let cursor = ''; ; ) {
                const page = await list(boss, `?${query}&limit=${limit}${cursor}`.replace('?&', '?'));
                assert.equal(page.total, expected.length, query);
                found.push(...page.data);
                if (page.next_cursor === null) break;
                cursor = `&cursor=${page.next_cursor}`;
            }
            assert.deepEqual(found, expected, query);
            const offset = pick(expected.length + 3);
            const skipped = await list(boss, `?${query}&limit=7&offset=${offset}`.replace('?&', '?'));
            assert.deepEqual(skipped.data, expected.slice(offset, offset + 7), query);
        }
        for (const row of gone) await boss.post(`/interactions/${row.id}/restore`);
        assert.equal((await list(boss, '')).total, 300);
    });

    test('a cursor stays right while rows are added', async () => {
        const someone = await makeCustomer(admin, { name: 'Busy' });
        const made: string[] = [];
        for (let i = 10; i < 30; i++) {
            made.push((await log(admin, { customer_id: someone.id, started_at: `2025-06-${i}T00:00:00Z` })).id);
        }
        const seen: string[] = [];
        for (let cursor = '', round = 0; ; round++) {
            const page = await list(admin, `/customer/${someone.id}?limit=6${cursor}`);
            seen.push(...page.data.map((row: Json) => row.id));
            assert.equal(page.total, 20 + round);
            await log(admin, { customer_id: someone.id, started_at: `2025-07-0${1 + round}T00:00:00Z` });
            if (page.next_cursor === null) break;
            cursor = `&cursor=${page.next_cursor}`;
        }
        assert.deepEqual(seen, made.reverse());
        const first = await list(admin, `/customer/${someone.id}?page=1&page_size=5`);
        const second = await list(admin, `/customer/${someone.id}?page=2&page_size=5`);
        assert.deepEqual([first.page, second.page, second.page_size], [1, 2, 5]);
        assert.equal(new Set([...first.data, ...second.data].map((row: Json) => row.id)).size, 10);
    });

    test('search finds words of any script, folded, the last by its beginning', async () => {
        const boss = await freshTenant('Searchers');
        const one = await makeCustomer(boss);
        const add = async (subject: string, description: string | null = null) =>
            (await boss.post('/interactions', { customer_id: one.id, ...call, subject, description })).body.id;
        const texts: Record<string, string> = {
            german: await add('Straße gesperrt', 'Umleitung über ÖSTERREICH'),
            russian: await add('Обсуждение ДОГОВОРА', 'цены и сроки'),
            greek: await add('Σχέδιο προϊόντος'),
            chinese: await add('关于今天下午产品演示的后续会议安排', '客户要求提供报价'),
            japanese: await add('デモのフィードバック', '来週ﾐｰﾃｨﾝｸﾞを予定'),
            thai: await add('นัดประชุมเรื่องราคา'),
            hindi: await add('ग्राहक के साथ बैठक'),
            arabic: await add('اجتماع العملاء'),
            plain: await add('Follow-up: pricing (v2.0)', `${'long '.repeat(1500)}needle`),
        };
        for (const [q, names] of [
            ['strasse', ['german']], ['STRASSE', ['german']], ['osterr', ['german']], ['österreich', ['german']],
            ['gesperrt umleitung', ['german']], ['gesper umleitung', []], ['договор', ['russian']],
            ['цены срок', ['russian']], ['σχεδιο', ['greek']], ['会议', ['chinese']], ['演示 报价', ['chinese']],
            ['今天下午产品演示的后续会议', ['chinese']], ['今天上午', []], ['フィード', ['japanese']],
            ['ミーティング', ['japanese']], ['ประชุม', ['thai']], ['बैठक', ['hindi']], ['العملاء', ['arabic']],
            ['follow up v2', ['plain']], ['needle', ['plain']], ['follow-up', ['plain']], ['pricing; OR "', []],
            ['pricing*', ['plain']], ["' | pricing", ['plain']], ['NEAR(pricing)', []], ['!!!', []], ['·', []],
        ] as const) {
            const found = await list(boss, `/search?q=${encodeURIComponent(q)}`);
            assert.deepEqual(found.data.map((row: Json) => row.id).sort(), names.map((name) => texts[name]!).sort(), q);
            assert.equal(found.total, names.length);
        }
        const at = `/interactions/${texts['plain']}`;
        await boss.put(`${at}/content`, { subject: 'Renamed', description: null });
        assert.deepEqual(await ids(boss, '/search?q=needle'), []);
        assert.deepEqual(await ids(boss, '/search?q=renam'), [texts['plain']]);
        await boss.del(at);
        assert.deepEqual(await ids(boss, '/search?q=renam'), []);
        await boss.post(`${at}/restore`);
        assert.deepEqual(await ids(boss, '/search?q=renam'), [texts['plain']]);
        assert.deepEqual(await ids(admin, '/search?q=renam'), []);
    });

    test('bulk keeps the good rows and explains the bad ones', async () => {
        const boss = await freshTenant('Bulk');
        const one = await makeCustomer(boss);
        const row = { customer_id: one.id, ...call };
        const first = await boss.post('/interactions/bulk', {
            rows: [
                { ...row, external_id: 'a' }, { ...row, customer_id: unknown }, { ...row, subject: '', typ: 'x' },
                { ...row, external_id: 'b', attendees: [unknown] }, 5, { ...row, external_id: 'c' },
            ],
        });
        assert.equal(first.status, 200, first.text);
        assert.deepEqual(first.body.rows.map((answer: Json) => answer.status), [201, 404, 422, 404, 422, 201]);
        assert.deepEqual([first.body.succeeded, first.body.failed], [2, 4]);
        assert.deepEqual(faults(first.body.rows[2]), ['rows[2].subject too_short', 'rows[2].typ unknown_field']);
        assert.equal((await list(boss, '')).total, 2);
        assert.equal((await list(boss, `/customer/${one.id}`)).total, 2);
        const second = await boss.post('/interactions/bulk', [{ ...row, external_id: 'a' }, { ...row, external_id: 'd' }]);
        assert.deepEqual(second.body.rows.map((answer: Json) => answer.status), [200, 201]);
        assert.equal(second.body.rows[0].id, first.body.rows[0].id);
        await boss.del(`/interactions/${first.body.rows[0].id}`);
        const third = await boss.post('/interactions/bulk', [{ ...row, external_id: 'a' }]);
        assert.deepEqual(third.body.rows.map((answer: Json) => answer.status), [409]);
        assert.equal((await list(boss, '')).total, 2);
        assert.equal((await boss.get(`/customers/${one.id}`)).body.contact_count, 2);
        assert.deepEqual((await list(boss, '/search?q=call')).total, 2);
    });

    test('many writes at once lose no count', async () => {
        const someone = await makeCustomer(admin, { name: 'Popular' });
        const made = await Promise.all(
            Array.from({ length: 60 }, (_, i) => log(admin, { customer_id: someone.id, subject: `Touch number${i}` })),
        );
        assert.equal(new Set(made.map((one) => one.interaction_number)).size, 60);
        assert.equal((await list(admin, `/customer/${someone.id}`)).total, 60);
        assert.equal((await admin.get(`/customers/${someone.id}`)).body.contact_count, 60);
        assert.equal((await list(admin, `?customer_id=${someone.id}&q=number5`)).total, 11);
    });

    test('what belongs to a deleted customer or company', async () => {
        const company = (await admin.post('/companies', { name: 'Closed' })).body;
        const [gone, silent] = [await makeCustomer(admin, { company_id: company.id }), await makeCustomer(admin)];
        const kept = [await log(admin, { customer_id: gone.id, subject: 'Farewell vanishing' }),
            await log(admin, { customer_id: gone.id, subject: 'Farewell vanishing' })].map((one) => one.id).sort();
        for (const path of [`/customers/${gone.id}`, `/customers/${silent.id}`, `/companies/${company.id}`])
            assert.equal((await admin.del(path)).status, 204);
        // Their own lists are gone with them, on every page, like those of nobody.
        for (const owner of [`customer/${gone.id}`, `customer/${silent.id}`, `customer/${unknown}`, `company/${company.id}`, `company/${unknown}`]) {
            for (const page of ['', '?page=1&page_size=1', '?page=9', '?limit=1&offset=50']) {
                const answer = await admin.get(`/interactions/${owner}${page}`);
                assert.equal(answer.status, 404, `${owner}${page}: ${answer.text}`);
            }
        }
        // Elsewhere interactions stay, and rows, totals and search agree.
        for (const filter of [
            `customer_id=${gone.id}`, `company_id=${company.id}`, `customer_id=${gone.id}&type=call`,
            'q=vanishing', `customer_id=${gone.id}&q=vanishing`,
        ]) {
            const found = await list(admin, `?${filter}`);
            assert.deepEqual([found.data.map((row: Json) => row.id).sort(), found.total], [kept, 2], filter);
            const past = await list(admin, `?${filter}&page=9`);
            assert.deepEqual([past.data, past.total], [[], 2], filter);
        }
        assert.equal((await list(admin, `?customer_id=${silent.id}`)).total, 0);
    });

    test('a follow-up goes to nobody who is deactivated', async () => {
        const leaver = await invite(admin, 'agent');
        const due = { follow_up_required: true, follow_up_date: '2199-01-01T00:00:00Z' };
        const done = await log(admin, { ...due, follow_up_assignee: leaver.id });
        assert.equal((await admin.post(`/interactions/${done.id}/follow-up/complete`)).status, 200);
        assert.equal((await admin.post(`/users/${leaver.id}/deactivate`, {})).status, 200);
        const other = await log(admin);
        const given = { ...due, follow_up_assignee: leaver.id };
        for (const answer of [
            await admin.post('/interactions', { customer_id: customer.id, ...call, ...given }),
            await admin.patch(`/interactions/${other.id}`, given),
            await admin.put(`/interactions/${other.id}/follow-up`, given),
            // Who had it before gets it again.
            await admin.put(`/interactions/${done.id}/follow-up`, due),
            await admin.patch(`/interactions/${done.id}`, { follow_up_date: '2199-01-02T00:00:00Z' }),
        ]) assert.deepEqual([answer.status, faults(answer.body)], [422, ['follow_up_assignee inactive']], answer.text);
        const rows = await admin.post('/interactions/bulk', { rows: [{ customer_id: customer.id, ...call, ...given }] });
        assert.deepEqual(faults(rows.body.rows[0]), ['follow_up_assignee inactive']);
        assert.equal((await admin.patch(`/interactions/${done.id}`, { subject: 'Still fine' })).status, 200);
        assert.equal((await admin.post(`/users/${leaver.id}/reactivate`)).status, 200);
        assert.equal((await admin.put(`/interactions/${done.id}/follow-up`, due)).status, 200);
    });

    test('null clears a list', async () => {
        const someone = await makeCustomer(admin, {
            tags: ['a', 'b'], emails: [{ address: 'a@list.example' }], phones: [{ number: '+4930111222' }],
        });
        const bare = await admin.patch(`/customers/${someone.id}`, { tags: null, emails: null, phones: null });
        assert.equal(bare.status, 200, bare.text);
        const { tags, emails, phones, email, phone } = bare.body;
        assert.deepEqual([tags, emails, phones, email, phone], [[], [], [], null, null]);
        const user = await invite(admin, 'agent');
        const made = await log(admin, { attendees: [user.id] });
        const alone = await admin.patch(`/interactions/${made.id}`, { attendees: null });
        assert.deepEqual([alone.status, alone.body.attendees, alone.body.version], [200, [], 2], alone.text);
        const bad = await admin.post('/interactions', { customer_id: customer.id, ...call, attendees: null });
        assert.deepEqual([bad.status, faults(bad.body)], [422, ['attendees not_nullable']]);
        assert.deepEqual(faults((await admin.post('/customers', { name: 'x', tags: null })).body), ['tags not_nullable']);
    });

    /** What the server had to run again because two transactions met. */
    async function reruns(): Promise<number> {
        const { text } = await admin.get('//metrics');
        return Number(/^touchpoint_store_reruns_total (\d+)$/m.exec(text)![1]);
    }

    test('writes of the same customers never wait for each other in a ring', async () => {
        const people = await Promise.all(Array.from({ length: 40 }, () => makeCustomer(admin)));
        const rows = people.map(({ id }) => ({ customer_id: id, ...call }));
        const before = await reruns();
        for (let round = 0; round < 3; round++) {
            const both = await Promise.all([rows, [...rows].reverse(), rows, [...rows].reverse()].map((some) => admin.post('/interactions/bulk', { rows: some })));
            for (const answer of both) assert.equal(answer.body.succeeded, 40, answer.text);
        }
        const primary = await log(admin, { total_chunks: 1000, chunk_number: 1 });
        const at = `/interactions/${primary.id}`;
        for (let round = 0; round < 30; round++) {
            const chunk = { parent_interaction_id: primary.id, chunk_number: round + 2 };
            const answers = await Promise.all([
                admin.post('/interactions', { customer_id: customer.id, ...call, ...chunk }),
                admin.patch(at, { direction: round % 2 === 0 ? 'inbound' : 'outbound' }),
                admin.post('/interactions/bulk', [{ customer_id: customer.id, ...call, ...chunk, chunk_number: round + 500 }]),
                admin.patch(at, { started_at: `2025-12-28T10:${String(round + 10)}:00Z` }),
            ]);
            assert.deepEqual(answers.map(({ status }) => status), [201, 200, 200, 200]);
        }
        assert.equal(await reruns(), before);
    });
});
