import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { faults, invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';

forEachStore((store) => {
    const site = useServer(store);

    test('a company is created, changed, and answered', async () => {
        const owner = await invite(site.admin, 'agent', { name: 'Olga' });
        const made = await site.admin.post('/companies', {
            name: 'ACME Corporation', external_id: 'acme/1', domain: 'acme.example', industry: 'Anvils', phone: '+493012345678',
            address: 'Weg 1\n10115 Berlin', owner_id: owner.id, custom_fields: { size: 3 },
        });
        assert.equal(made.status, 201, made.text);
        assert.equal(made.headers.location, `/api/v1/companies/${made.body.id}`);
        const shown = await site.admin.get(`/companies/${made.body.id}`);
        assert.equal(shown.headers.etag, '"1"');
        assert.equal(shown.body.owner_name, 'Olga');
        assert.deepEqual(shown.body, made.body);
        assert.deepEqual((await site.admin.get('/companies/external/acme%2F1')).body, made.body);
        const changed = await site.admin.patch(`/companies/${made.body.id}`, { name: 'Acme', industry: null, custom_fields: { size: 4, kind: 'x' } }, { headers: { 'if-match': '"1"' } });
        assert.deepEqual([changed.status, changed.body.version, changed.body.name, changed.body.industry, changed.body.custom_fields], [200, 2, 'Acme', null, { size: 4, kind: 'x' }]);
        assert.equal((await site.admin.patch(`/companies/${made.body.id}`, { name: 'Acme' })).body.version, 2);
        assert.equal((await site.admin.patch(`/companies/${made.body.id}`, { name: 'x' }, { headers: { 'if-match': '"1"' } })).status, 412);
        const customer = (await site.admin.post('/customers', { name: 'C', company_id: made.body.id })).body;
        assert.equal(customer.company_name, 'Acme');
    });

    test('bad input is explained, and foreign ids are unknown ones', async () => {
        const bad = await site.admin.post('/companies', { name: '', phone: '12', owner_id: 'x', size: 3, custom_fields: 1 });
        assert.deepEqual([bad.status, faults(bad.body)], [422, [
            'custom_fields wrong_type', 'name too_short', 'owner_id bad_format', 'phone bad_format', 'size unknown_field']]);
        const { key } = await site.site.createTenant('Others', 'o@others.example');
        const stranger = site.server.client(key);
        const theirs = (await stranger.post('/companies', { name: 'Theirs' })).body;
        for (const id of [theirs.id, unknown, 'nonsense']) {
            assert.equal((await site.admin.get(`/companies/${id}`)).status, 404);
            assert.equal((await site.admin.patch(`/companies/${id}`, { name: 'x' })).status, 404);
            assert.equal((await site.admin.del(`/companies/${id}`)).status, 404);
            assert.equal((await site.admin.get(`/companies/${id}/customers`)).status, 404);
        }
        assert.equal((await site.admin.post('/companies', { name: 'x', owner_id: unknown })).status, 404);
    });

    test('the external id names one company', async () => {
        const first = await site.admin.put('/companies/external/e-1', { name: 'First' });
        assert.equal(first.status, 201, first.text);
        const stale = await site.admin.put('/companies/external/e-1', { name: 'Lost' }, { headers: { 'if-match': '"9"' } });
        assert.equal(stale.status, 412);
        const again = await site.admin.put('/companies/external/e-1', { name: 'Second' });
        assert.deepEqual([again.status, again.body.id, again.body.version], [200, first.body.id, 2]);
        assert.equal((await site.admin.post('/companies', { name: 'x', external_id: 'e-1' })).status, 409);
        const other = (await site.admin.post('/companies', { name: 'x' })).body;
        assert.equal((await site.admin.patch(`/companies/${other.id}`, { external_id: 'e-1' })).status, 409);
        assert.equal((await site.admin.del(`/companies/${first.body.id}`)).status, 204);
        assert.equal((await site.admin.get('/companies/external/e-1')).status, 404);
        const restored = await site.admin.put('/companies/external/e-1', { name: 'Second' });
        assert.deepEqual([restored.status, restored.body.id], [200, first.body.id]);
        assert.deepEqual(faults((await site.admin.put('/companies/external/e-1', { name: 'x', external_id: 'e-2' })).body), ['external_id mismatch']);
    });

    test('a company with customers stays; without them it goes', async () => {
        const { id } = (await site.admin.post('/companies', { name: 'Held' })).body;
        const customers: Json[] = [];
        for (const name of ['Zoë', 'Émile', 'bob']) customers.push((await site.admin.post('/customers', { name, company_id: id })).body);
        const list = (await site.admin.get(`/companies/${id}/customers?limit=2`)).body;
        assert.deepEqual([list.data.map((one: Json) => one.name), list.total], [['bob', 'Émile'], 3]);
        assert.equal((await site.admin.get(`/companies/${id}/customers?cursor=${list.next_cursor}&limit=2`)).body.data[0].name, 'Zoë');
        assert.equal((await site.admin.del(`/companies/${id}`)).status, 409);
        await site.admin.patch(`/customers/${customers[0].id}`, { company_id: null });
        await site.admin.del(`/customers/${customers[1].id}`);
        assert.equal((await site.admin.del(`/companies/${id}`)).status, 409);
        await site.admin.del(`/customers/${customers[2].id}`);
        assert.equal((await site.admin.del(`/companies/${id}`)).status, 204);
        assert.equal((await site.admin.get(`/companies/${id}`)).status, 404);
        assert.equal((await site.admin.post('/customers', { name: 'Late', company_id: id })).status, 404);
    });

    test('the list goes by folded name, and by its beginning', async () => {
        const { key } = await site.site.createTenant('Companies', 'c@companies.example');
        const admin = site.server.client(key);
        for (const name of ['Zebra', 'Öko AG', 'oko plus', 'Alpha']) await admin.post('/companies', { name });
        const list = async (query: string): Promise<Json> => (await admin.get(`/companies${query}`)).body;
        assert.deepEqual((await list('')).data.map((one: Json) => one.name), ['Alpha', 'Öko AG', 'oko plus', 'Zebra']);
        const page = await list(`?q=${encodeURIComponent('ÖKO')}&limit=1`);
        assert.deepEqual([page.data[0].name, page.total], ['Öko AG', 2]);
        assert.deepEqual((await list(`?q=oko&limit=1&cursor=${page.next_cursor}`)).data[0].name, 'oko plus');
        assert.deepEqual((await list('?page=2&page_size=3')).data.map((one: Json) => one.name), ['Zebra']);
        assert.deepEqual((await list('?limit=1&offset=1')).data[0].name, 'Öko AG');
        assert.equal((await list('')).total, 4);
        assert.equal((await admin.get('/companies?x=1')).status, 422);
    });
});
