import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';

forEachStore((store) => {
    const site = useServer(store);

    test('a session starts, ends, and its end can be corrected', async () => {
        const customer = (await site.admin.post('/customers', { name: 'Anna' })).body;
        const made = await site.admin.post('/sessions', { customer_id: customer.id, channel: 'whatsapp', subject: 'Refund', started_at: '2026-01-01T10:00:00+02:00' });
        assert.equal(made.status, 201, made.text);
        assert.equal(made.headers.location, `/api/v1/sessions/${made.body.id}`);
        assert.deepEqual([made.body.customer_name, made.body.started_by_name, made.body.started_at, made.body.ended_at, made.body.duration_seconds],
            ['Anna', 'admin@acme.example', '2026-01-01T08:00:00Z', null, null]);
        const at = `/sessions/${made.body.id}`;
        assert.deepEqual((await site.admin.get(at)).body, made.body);
        const ended = await site.admin.put(`${at}/end`, { ended_at: '2026-01-01T08:10:00Z' }, { headers: { 'if-match': '"1"' } });
        assert.deepEqual([ended.status, ended.body.ended_at, ended.body.duration_seconds, ended.body.version], [200, '2026-01-01T08:10:00Z', 600, 2]);
        assert.deepEqual((await site.admin.put(`${at}/end`)).body, ended.body);
        assert.deepEqual((await site.admin.put(`${at}/end`, { ended_at: '2026-01-01T08:10:00Z' })).body, ended.body);
        const corrected = await site.admin.put(`${at}/end`, { ended_at: '2026-01-01T08:20:00Z' });
        assert.deepEqual([corrected.body.duration_seconds, corrected.body.version], [1200, 3]);
        assert.equal((await site.admin.put(`${at}/end`, {}, { headers: { 'if-match': '"1"' } })).status, 412);
        assert.deepEqual(faults((await site.admin.put(`${at}/end`, { ended_at: '2025-01-01T00:00:00Z' })).body), ['ended_at too_small']);
    });

    test('without times, now counts', async () => {
        const customer = (await site.admin.post('/customers', { name: 'Now' })).body;
        const made = (await site.admin.post('/sessions', { customer_id: customer.id })).body;
        assert.ok(Math.abs(Date.parse(made.started_at) - Date.now()) < 60_000);
        const ended = (await site.admin.put(`/sessions/${made.id}/end`)).body;
        assert.ok(Date.parse(ended.ended_at) >= Date.parse(made.started_at));
    });

    test('a customer\'s sessions are listed newest first', async () => {
        const customer = (await site.admin.post('/customers', { name: 'Many' })).body;
        for (const day of ['03', '01', '02']) await site.admin.post('/sessions', { customer_id: customer.id, started_at: `2026-01-${day}T00:00:00Z` });
        const list = async (query: string): Promise<Json> => (await site.admin.get(`/customers/${customer.id}/sessions${query}`)).body;
        const days = (body: Json): string[] => body.data.map((one: Json) => one.started_at.slice(8, 10));
        assert.deepEqual(days(await list('')), ['03', '02', '01']);
        assert.deepEqual(days(await list('?page=2&page_size=2')), ['01']);
        assert.deepEqual(days(await list('?limit=1&offset=1')), ['02']);
        const first = await list('?limit=2');
        assert.equal(first.total, 3);
        assert.deepEqual(days(await list(`?limit=2&cursor=${first.next_cursor}`)), ['01']);
        for (const mount of ['leads', 'contacts'])
            assert.equal((await site.admin.get(`/${mount}/${customer.id}/sessions`)).body.total, 3);
    });

    test('bad input, foreign and deleted ids', async () => {
        assert.deepEqual(faults((await site.admin.post('/sessions', { channel: '', started_at: 'now', ended_at: '2026-01-01T00:00:00Z' })).body),
            ['channel too_short', 'customer_id required', 'ended_at read_only', 'started_at bad_format']);
        const { key } = await site.site.createTenant('Else', 'e@else.example');
        const stranger = site.server.client(key);
        const customer = (await stranger.post('/customers', { name: 'Theirs' })).body;
        const session = (await stranger.post('/sessions', { customer_id: customer.id })).body;
        for (const id of [unknown, customer.id]) {
            const answer = await site.admin.post('/sessions', { customer_id: id });
            assert.deepEqual([answer.status, answer.body.detail], [404, 'There is no such record: customer_id.']);
            assert.equal((await site.admin.get(`/customers/${id}/sessions`)).status, 404);
        }
        assert.equal((await site.admin.get(`/sessions/${session.id}`)).status, 404);
        assert.equal((await site.admin.put(`/sessions/${session.id}/end`)).status, 404);
        await stranger.del(`/customers/${customer.id}`);
        assert.equal((await stranger.get(`/sessions/${session.id}`)).status, 404);
    });
});
