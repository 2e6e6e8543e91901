// Idempotency-Key on POST (SPEC.md §2): a client that did not hear the answer asks again, and
// nothing is done twice.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Answer, Client, Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const call = { type: 'call', direction: 'outbound', subject: 'A call', started_at: '2025-12-28T10:30:00Z' };

forEachStore((store) => {
    const site = useServer(store);
    let admin: Client;
    let customer: Json;

    before(async () => {
        admin = site.admin;
        customer = (await admin.post('/customers', { name: 'Jane Doe' })).body;
    });

    const under = (key: string, client: Client = admin) => client.with({ 'idempotency-key': key });
    const isReplay = (answer: Answer) => answer.headers['idempotent-replayed'] === 'true';
    const total = async (path: string) => (await admin.get(path)).body.total;

    test('the first answer comes again, headers and all', async () => {
        const before = await total('/interactions');
        const body = { customer_id: customer.id, ...call };
        const first = await under('again').post('/interactions', body);
        assert.equal(first.status, 201, first.text);
        assert.equal(first.headers['idempotent-replayed'], undefined);
        // In between it changes: the answer is the first one all the same.
        await admin.put(`/interactions/${first.body.id}/outcome`, { outcome: 'busy' });
        for (let i = 0; i < 2; i++) {
            const again = await under('again').post('/interactions', body);
            assert.ok(isReplay(again));
            assert.deepEqual([again.status, again.text], [201, first.text]);
            for (const name of ['location', 'etag', 'content-type']) assert.equal(again.headers[name], first.headers[name]);
            assert.notEqual(again.headers['x-request-id'], first.headers['x-request-id']);
        }
        assert.equal(await total('/interactions'), before + 1);
        assert.equal((await admin.get(`/customers/${customer.id}`)).body.contact_count, 1);
        assert.equal((await admin.post('/interactions', body)).status, 201, 'without a key it is another one');
    });

    test('a key is one, bare or quoted', async () => {
        const first = await under('quoted').post('/customers', { name: 'Quoted' });
        const again = await under('"quoted"').post('/customers', { name: 'Quoted' });
        assert.deepEqual([isReplay(again), again.body.id], [true, first.body.id]);
        const escaped = await under(String.raw`"a\"b\\c d"`).post('/customers', { name: 'Escaped' });
        assert.equal(escaped.status, 201);
        assert.ok(isReplay(await under(String.raw`"a\"b\\c d"`).post('/customers', { name: 'Escaped' })));
        assert.equal((await under('x'.repeat(255)).post('/customers', { name: 'Long' })).status, 201);
        for (const bad of ['', '""', 'x'.repeat(256), 'two words', '"open', 'a"b', '"a" b', String.raw`"a\b"`, '\u00e9']) {
            const answer = await under(bad).post('/customers', { name: 'Bad key' });
            assert.deepEqual([answer.status, faults(answer.body)], [422, ['Idempotency-Key bad_format']], bad);
        }
        assert.equal(await total('/customers/search?q=bad'), 0);
    });

    test('another request under the key is refused', async () => {
        await under('one').post('/customers', { name: 'One' });
        for (const send of [
            () => under('one').post('/customers', { name: 'Other' }),
            () => under('one').post('/contacts', { name: 'One' }),
            () => under('one').post('/companies', { name: 'One' }),
        ]) {
            const answer = await send();
            assert.equal(answer.status, 422, answer.text);
            assert.deepEqual(faults(answer.body), ['Idempotency-Key idempotency_key_reused']);
        }
        assert.equal(await total('/customers/search?q=other'), 0);
        assert.ok(isReplay(await under('one').post('/customers', { name: 'One' })));
    });

    test('of many at once, one is done', async () => {
        for (let round = 0; round < 3; round++) {
            const key = `race-${round}`;
            const name = `Racer${round}`;
            const answers = await Promise.all(Array.from({ length: 12 }, () => under(key).post('/customers', { name })));
            const first = answers.filter((answer) => answer.status === 201 && !isReplay(answer));
            assert.equal(first.length, 1);
            for (const answer of answers) {
                assert.ok(answer.status === 409 || (answer.status === 201 && answer.body.id === first[0]!.body.id), answer.text);
            }
            assert.equal(await total(`/customers/search?q=${name}`), 1);
            const later = await under(key).post('/customers', { name });
            assert.deepEqual([later.status, isReplay(later), later.body.id], [201, true, first[0]!.body.id]);
        }
    });

    test('only what was done is remembered', async () => {
        const at = under('second-try');
        assert.equal((await at.post('/customers', '{"name":')).status, 400);
        assert.equal((await at.post('/customers', { name: '' })).status, 422);
        assert.equal((await at.post('/customers', { name: 'Second', company_id: unknown })).status, 404);
        await admin.post('/customers', { name: 'Taken', external_id: 'taken' });
        assert.equal((await at.post('/customers', { name: 'Second', external_id: 'taken' })).status, 409);
        const made = await at.post('/customers', { name: 'Second' });
        assert.deepEqual([made.status, isReplay(made)], [201, false]);
        // A bulk that was partly refused was done.
        const rows = [{ name: 'Row' }, { name: '' }];
        const bulk = await under('bulk').post('/customers/bulk', rows);
        assert.deepEqual([bulk.body.succeeded, bulk.body.failed], [1, 1]);
        const again = await under('bulk').post('/customers/bulk', rows);
        assert.deepEqual([isReplay(again), again.text], [true, bulk.text]);
        assert.equal(await total('/customers/search?q=row'), 1);
    });

    test('it guards actions, too, and nothing but POST', async () => {
        const { id } = (await admin.post('/customers', { name: 'Acted on' })).body;
        await admin.del(`/customers/${id}`);
        const restored = await under('restore').post(`/customers/${id}/restore`);
        assert.deepEqual([restored.status, isReplay(restored)], [200, false]);
        await admin.del(`/customers/${id}`);
        assert.ok(isReplay(await under('restore').post(`/customers/${id}/restore`)));
        assert.equal((await admin.get(`/customers/${id}`)).status, 404, 'a replay does nothing');
        for (let i = 0; i < 2; i++) {
            const put = await under('put').put('/customers/external/put', { name: 'Put' });
            assert.deepEqual([put.status, isReplay(put)], [i === 0 ? 201 : 200, false]);
            assert.equal(isReplay(await under('put').get('/customers')), false);
        }
    });

    test('each user has keys of their own', async () => {
        const { client: agent } = await addPerson(admin, 'agent');
        const { key } = await site.site.createTenant('Neighbours', 'admin@neighbours.example');
        const made = [];
        for (const client of [admin, agent, site.server.client(key)]) {
            const answer = await under('shared', client).post('/customers', { name: 'Mine' });
            assert.deepEqual([answer.status, isReplay(answer)], [201, false]);
            made.push(answer.body.id);
            assert.equal((await under('shared', client).post('/customers', { name: 'Mine' })).body.id, answer.body.id);
        }
        assert.equal(new Set(made).size, 3);
        // Another key of the same user is the same user.
        const other = (await admin.post('/keys', { name: 'second' })).body.key;
        const again = await under('shared', admin.withKey(other)).post('/customers', { name: 'Mine' });
        assert.deepEqual([isReplay(again), again.body.id], [true, made[0]]);
        // Who may not do it is not told what was done.
        const { client: viewer } = await addPerson(admin, 'viewer');
        assert.equal((await under('shared', viewer).post('/customers', { name: 'Mine' })).status, 403);
        assert.equal((await under('shared', site.anonymous).post('/customers', { name: 'Mine' })).status, 401);
    });

    test('what is shown once is not shown by a replay', async () => {
        const body = { email: 'secret@people.example', name: 'Secret', role: 'agent' };
        const first = await under('invitation').post('/users', body);
        assert.equal(first.status, 201, first.text);
        assert.equal(typeof first.body.token, 'string');
        const again = await under('invitation').post('/users', body);
        assert.deepEqual([again.status, isReplay(again), again.headers['secret-withheld']], [201, true, 'true']);
        const { token: _token, ...rest } = first.body;
        assert.deepEqual(again.body, rest);
    });

    test('it outlives the server', async () => {
        const first = await under('durable').post('/customers', { name: 'Durable' });
        await site.server.kill();
        await site.startServer([]);
        admin = site.admin;
        const again = await under('durable').post('/customers', { name: 'Durable' });
        assert.deepEqual([isReplay(again), again.body], [true, first.body]);
        assert.equal(await total('/customers/search?q=durable'), 1);
    });
});
