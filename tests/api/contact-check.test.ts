// May this customer be contacted by this method now? (SPEC.md §7)
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Client, Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

forEachStore((store) => {
    const site = useServer(store);
    let alice: Client;
    let aliceId: string;
    let bob: Client;
    let viewer: Client;

    before(async () => {
        const first = await addPerson(site.admin, 'agent', { name: 'Alice' });
        [alice, aliceId] = [first.client, first.user.id];
        bob = (await addPerson(site.admin, 'agent', { name: 'Bob' })).client;
        viewer = (await addPerson(site.admin, 'viewer')).client;
    });

    async function ok(status: number, method: string, path: string, body?: Json, who: Client = alice): Promise<Json> {
        const answer = await who.request(method, path, body);
        assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
        return answer.body;
    }
    const lead = async (fields: Json = {}): Promise<string> => (await ok(201, 'POST', '/customers', { name: 'Lea', ...fields })).id;
    const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
    const touch = (customer_id: string, msAgo: number, fields: Json = {}): Promise<Json> => ok(201, 'POST', '/interactions', {
        customer_id, type: 'email', direction: 'outbound', subject: 'Quick question about your tech stack', started_at: ago(msAgo), ...fields,
    });
    const check = (id: string, query = 'method=email', who: Client = bob): Promise<Json> => ok(200, 'GET', `/leads/${id}/contact-check?${query}`, undefined, who);
    const decision = async (id: string, query?: string, who?: Client): Promise<string> => (await check(id, query, who)).decision;

    test('allowed, then blocked by what a colleague did', async () => {
        const id = await lead();
        assert.deepEqual(await check(id), {
            decision: 'allowed', method: 'email', message: 'Nothing speaks against it.', broken: [], retry_at: null, may_override: false,
            limits: { warn_days: 7, min_hours: 24, max_per_day: 1 }, touches: [],
        });
        const made = await touch(id, 2 * HOUR, { description: 'Hi Lea, I noticed that you are using PostgreSQL.' });
        const subject = encodeURIComponent('QUICK question about your tech-stack!');
        const blocked = await check(id, `method=email&subject=${subject}`);
        assert.equal(blocked.decision, 'blocked');
        assert.deepEqual(blocked.broken.filter((limit: string) => limit !== 'max_per_day'), ['min_hours', 'warn_days']);
        assert.match(blocked.message, /^Alice emailed this lead 2 hours ago\./);
        assert.ok(Date.parse(blocked.retry_at) >= Date.parse(made.started_at) + DAY);
        assert.deepEqual(blocked.touches, [{
            id: made.id, user: { id: aliceId, name: 'Alice' }, method: 'email', subject: 'Quick question about your tech stack',
            started_at: made.started_at, responded: false, similarity: 1,
        }]);
        const other = await check(id, `method=email&subject=${encodeURIComponent('Zebra crossing')}`);
        assert.ok(other.touches[0].similarity < 0.3, other.touches[0].similarity);

        // Whoever made it: Alice is told so too. Another method is another matter.
        assert.equal(await decision(id, 'method=email', alice), 'blocked');
        for (const method of ['call', 'phone', 'sms', 'linkedin', 'social_media']) assert.equal(await decision(id, `method=${method}`), 'allowed');
    });

    test('who may do it anyway', async () => {
        const id = await lead();
        await touch(id, 2 * HOUR);
        const manager = (await addPerson(site.admin, 'manager')).client;
        assert.equal((await check(id)).may_override, false);
        assert.equal((await check(id, 'method=email', manager)).may_override, true);
        const warned = await lead();
        await touch(warned, 2 * DAY);
        assert.equal((await check(warned)).may_override, true);
    });

    test('the body is looked at beside the subject, whatever its lines', async () => {
        const id = await lead();
        const text = 'Hi Lea,\n\nI noticed that you are using PostgreSQL.\r\nShall we talk?\tBob';
        await touch(id, 2 * HOUR, { description: text });
        const alike = async (body: string): Promise<number> =>
            (await check(id, new URLSearchParams({ method: 'email', subject: 'Quick question about your tech stack', body }).toString())).touches[0].similarity;
        assert.equal(await alike(text), 1);
        assert.ok(await alike('Your invoice of last month is overdue, so we have to close the account now.') < 0.6);
    });

    test('two days ago is a warning, eight are long ago', async () => {
        const id = await lead();
        await touch(id, 8 * DAY);
        assert.equal(await decision(id), 'allowed');
        const made = await touch(id, 2 * DAY + HOUR);
        const warned = await check(id);
        assert.deepEqual([warned.decision, warned.broken, warned.retry_at], ['warning', ['warn_days'], null]);
        assert.equal(warned.message, 'Alice emailed this lead 2 days ago.');
        assert.deepEqual(warned.touches.map((one: Json) => one.id), [made.id]);
        await ok(204, 'DELETE', `/interactions/${made.id}`);
        assert.equal(await decision(id), 'allowed');
    });

    test('an answer is free, once', async () => {
        const id = await lead();
        await touch(id, 3 * HOUR);
        assert.equal(await decision(id), 'blocked');
        await touch(id, 2 * HOUR, { type: 'call', direction: 'inbound' });
        assert.equal(await decision(id), 'allowed');
        await touch(id, HOUR);
        assert.equal(await decision(id), 'blocked');
    });

    test('what is planned counts like what has been', async () => {
        const id = await lead();
        const planned = await touch(id, -5 * HOUR);
        const blocked = await check(id);
        assert.deepEqual([blocked.decision, blocked.touches[0].id], ['blocked', planned.id]);
        assert.match(blocked.message, /^Alice plans to email this lead in /);
    });

    test('a call that nobody answered does not count', async () => {
        const id = await lead();
        for (const outcome of ['no_answer', 'busy']) await touch(id, HOUR, { type: 'call', outcome });
        assert.equal(await decision(id, 'method=call'), 'allowed');
        const answered = await touch(id, HOUR, { type: 'call' });
        assert.equal(await decision(id, 'method=call'), 'blocked');
        await ok(200, 'PATCH', `/interactions/${answered.id}`, { outcome: 'no_answer' });
        assert.equal(await decision(id, 'method=call'), 'allowed');
    });

    test('LinkedIn is a method of its own', async () => {
        const id = await lead();
        await touch(id, HOUR, { type: 'social_media', channel: 'LinkedIn' });
        assert.deepEqual([await decision(id, 'method=linkedin'), await decision(id, 'method=social_media')], ['blocked', 'allowed']);
    });

    test('what is not guarded is allowed', async () => {
        const id = await lead();
        for (const type of ['note', 'meeting', 'system']) {
            await touch(id, HOUR, { type });
            assert.deepEqual(await check(id, `method=${type}`), {
                decision: 'allowed', method: type, message: 'Nothing speaks against it.', broken: [], retry_at: null, may_override: false,
                limits: { warn_days: 0, min_hours: 0, max_per_day: null }, touches: [],
            });
        }
    });

    test('every fault of the query', async () => {
        const id = await lead();
        const refused = async (query: string): Promise<string[]> => {
            const answer = await alice.get(`/leads/${id}/contact-check${query}`);
            assert.equal(answer.status, 422, answer.text);
            return faults(answer.body);
        };
        assert.deepEqual(await refused(''), ['method required']);
        assert.deepEqual(await refused('?method=pigeon&subject=a%0Ab&colour=red'), ['colour unknown_field', 'method not_one_of', 'subject bad_format']);
        assert.deepEqual(await refused(`?method=email&method=sms&subject=${'%C3%A4'.repeat(256)}`), ['method repeated', 'subject too_long']);
        assert.equal(await decision(id, `method=email&subject=${'%C3%A4'.repeat(255)}`), 'allowed');
        assert.equal(await decision(id, 'method=email&subject=&body='), 'allowed');
    });

    test('the same under each name, and merged ids are followed', async () => {
        const id = await lead();
        const twin = await lead();
        await touch(twin, 2 * DAY + HOUR);
        assert.equal(await decision(id), 'allowed');
        await ok(200, 'POST', `/customers/${id}/merge`, { merged_id: twin }, site.admin);
        for (const mount of ['/customers', '/contacts', '/leads']) {
            for (const one of [id, twin]) assert.equal((await ok(200, 'GET', `${mount}/${one}/contact-check?method=email`)).decision, 'warning');
        }
    });

    test('who is not there, or somebody else\'s', async () => {
        const other = site.server.client((await site.site.createTenant('Other', 'admin@other.example')).key);
        const theirs = (await ok(201, 'POST', '/customers', { name: 'Theirs' }, other)).id;
        const gone = await lead();
        await ok(204, 'DELETE', `/customers/${gone}`, undefined, site.admin);
        for (const id of [UNKNOWN, theirs, gone, 'nobody']) {
            const answer = await alice.get(`/leads/${id}/contact-check?method=email`);
            assert.deepEqual([answer.status, answer.body.title, answer.body.detail], [404, 'Not Found', 'There is no such record.']);
        }
        // Another tenant's touches and policies are its own.
        assert.equal(await decision(theirs, 'method=email', other), 'allowed');
    });

    test('viewers do not ask', async () => {
        const id = await lead();
        assert.equal((await viewer.get(`/leads/${id}/contact-check?method=email`)).status, 403);
        assert.equal((await site.anonymous.get(`/leads/${id}/contact-check?method=email`)).status, 401);
    });
});
